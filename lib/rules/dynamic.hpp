// dynamic.hpp: operators that quantize a float input at run time.
#pragma once
#include "lib/rules/accumulation.hpp"

namespace lastbit {

/// x quantized as the cell says, ready to be accumulated with the layer's weight.
struct DynamicInput {
  std::vector<std::int32_t> q;
  double scale = 1;
  std::int64_t zero_point = 0;
};
/// Cell parameters: choose (pytorch, onnx), rounding (a quantize rule), reduce_range (honoured, ignored),
/// quantize_scale (an expression over si, the chosen scale; empty: si).
/// Layer attributes: reduce_range, input_scale and input_zero_point (fixed instead of chosen).
DynamicInput quantize_dynamic_input(const Layer&, const Cell&, const Tensor& x);

}  // namespace lastbit
