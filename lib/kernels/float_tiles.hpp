// float_tiles.hpp: the float32 form of a convolution or matrix product of bytes, compared where it is made.
//
//   s = 0;  s = f32(s + f32(x[k] * w[k]))  over the terms, taps ascending, channel fastest
//   x = f32(f32(q - zero_point) * scale), w alike by its channel
//   y = clamp(rne(f32(f32(s + bias) / scale_out)) + zero_point_out)
//
// Vectors run over output channels alone and nothing is fused: no host or instruction set changes a bit. A tap outside adds a product of 0,
// which changes no sum: one that begins with 0 is never -0.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "lib/kernels/stream.hpp"

namespace lastbit {

struct FloatTiles {
  const StreamRequest& request;
  float x_scale = 1;
  std::span<const float> w_scale;            // one or per channel
  std::span<const float> bias;               // per channel
  float scale = 1;                           // of the output
  std::int32_t zero_point = 0, low = 0, high = 255;
  const std::byte* observed = nullptr;       // the whole output, in the request's order
  bool observed_signed = false;
};

struct FloatTotals {
  std::int64_t mismatches = 0, max_lsb = 0;  // of the observed bytes against y
};

/// None when the request is not of the kind: operands of 8 bits whose zero points bytes hold, no transposed convolution with a stride, or
/// of the depthwise kind.
std::optional<FloatTotals> compare_float_tiles(const FloatTiles&);

}  // namespace lastbit
