// sums.hpp: sum and mean over axes, by every rule a runtime is known to use.
//
// S: sum of a group's stored integers; n: its elements; acc = S - zx * n. m * 2^s: a FixedMultiplier.
//   codes         clamp(rne(f32(f32(S) / f32(n)))): the codes' own mean, no zero point (mean)
//   float_sum     dequantized, added up in float32 in the runtime's order, divided by n, quantized (mean): with order =
//                 cascade as cascade_sum.hpp says, else, and where that does not know, an interval
//   full_kernel   clamp(rne(f32(f32(acc) * f)) + zy), f = f32(f32(sx) / f32(f32(sy) * f32(n))) (mean)
//   fixed         clamp(multiply(acc, m, s) + zy), m * 2^s = sx / sy; for a mean m is then divided by n, truncated:
//                 h = min(floor(log2 n), 32, 31 + s), m = (m << h) / n, s = s - h
//   fixed_planes  clamp(multiply(S, m, s) + b), m * 2^s = f32(f32(sx) / f32(f32(n) * f32(sy))),
//                 b = zy - int(t + 0.5 away from zero), t = f32(f32(zx) * sx / sy); channels (the last axis) in whole blocks of 16
//                 by the rule `block`, the others by `fixed` (mean)
//   fixed_bytes   as fixed, with x and y read and written as the uint8 array their bytes begin with: elements of y past the
//                 last byte written are undefined (sum)
//   float_away    f = f32(sx / sy), b = f32(f32(f32(-zx) * f) * f32(n)); clamp(round_half_away(f32(f32(f32(S) * f) + b)) + zy) (sum)
//   float_even    f = f32(sx / sy) (mean: times f32(1 / n)), b = f32(zy - f32(f32(n * zx) * f)); clamp(rne(f32(f32(f32(S) * f) + b)))
// steps = either: whether float_even fuses, or which fixed-point rule multiplies, is not known: where it matters, an interval.
#pragma once
#include "lib/layer/operator.hpp"

namespace lastbit {

Operator total(const std::string& name, bool mean);

}  // namespace lastbit
