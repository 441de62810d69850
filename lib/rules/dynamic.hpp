// dynamic.hpp: operators that quantize a float input at run time.
#pragma once
#include "lib/rules/accumulation.hpp"

namespace lastbit {

/// x quantized as the cell says, ready to be accumulated with the layer's weight. One scale and zero point, or one a row.
struct DynamicInput {
  std::vector<std::int32_t> q;
  std::vector<double> scale;
  std::vector<std::int64_t> zero_point;
  DType dtype = DType::uint8;

  Quantization qparams() const;
};
/// Cell parameters: choose (a rule of choose_qparams.hpp), rounding (of quantize_value.hpp), reduce_range (honoured, ignored),
/// quantize_scale (an expression over si, the chosen scale; empty: si), input_dtype (uint8, int8: where the layer says none), tail
/// (a rule of quantize_value.hpp, for what whole vectors of all of x leave over) with vector (how many elements one holds).
/// Layer attributes: reduce_range; input_scale and input_zero_point (fixed instead of chosen); per_token (one choice for each
/// run of the last axis); input_dtype (uint8, int8).
DynamicInput quantize_dynamic_input(const Layer&, const Cell&, const Tensor& x);

/// "input_dtype" and the fixed input; throws Error.
void check_dynamic_input(const Layer&);

/// The layer as a static one: x quantized, y with `y` as its qparams (a float when not given). It owns its tensors.
Layer static_layer(const Layer&, const DynamicInput&, std::string op, const std::optional<Quantization>& y = {});
/// Adds "x_q", the quantized input with its chosen qparams, to the result.
void report_dynamic_input(const Layer&, const DynamicInput&, Result&);
/// Reads it back: the input that run() quantized.
DynamicInput dynamic_input_of(const Result&);

/// conv1d_dynamic, conv2d_dynamic, conv3d_dynamic.
Operator dynamic_convolution(int dims);

}  // namespace lastbit
