// normalize.hpp: layer, group and instance normalization: ATen's one kernel over rows, and one over channels last.
//
// Over the N codes of a group, in float32:
//   m = f32(f32(sum) / N); mean = f32(m - zx); var = max(fma(-m, m, f32(f32(squares) / N)), 0)
//   rstd = f32(sx / sqrt(f64(f32(f32(var * sx) * sx)) + eps)), the root and the division in float64
// d = x - zx:
//   rows          t = f32(f32(d - mean) * rstd); y = fma(t, weight, bias), weight and bias element by element
//   planes        g = f32(rstd * weight); y = fma(f32(d - mean), g, bias), one weight a channel
//   channels_last b = fma(-g, mean, bias); y = fma(d, g, b)
// then y is quantized: by `body` in whole blocks of 32 elements (rows: of the row; channels_last: of the group's channels),
// by `tail` after the last of them; planes have no tail. With fused = no every fma is two steps.
// channels_last from 512 positions on: sums and squares are added up in float32, per channel over positions, then over the
// group's channels, and the blocks run over all channels.
#pragma once
#include "lib/layer/operator.hpp"

namespace lastbit {

enum class Normalized { layer, group, instance };
Operator normalization(Normalized);

}  // namespace lastbit
