// cells.hpp: parts of tables that several profiles share, one file a family of operators.
#pragma once
#include <iterator>

#include "lib/profile/profile.hpp"

namespace lastbit::cells {

inline void append(std::vector<Cell>& to, std::vector<Cell> cells) { to.insert(to.end(), std::make_move_iterator(cells.begin()), std::make_move_iterator(cells.end())); }

/// ATen's quantize, dequantize, requantize, and every moved bit. Later cells win.
std::vector<Cell> pytorch_common();
/// Behind every cell of FBGEMM's vectors one of its scalar code: the producer's "fbgemm" is "scalar" where the processor has no AVX2.
std::vector<Cell> with_scalar_fbgemm(const std::vector<Cell>& profile);
/// Behind every cell of 2.13.0's quantize_val one of what it is compiled to for ARM: x * inv + zp is one step, and NaN gives 0.
std::vector<Cell> fused_on_arm(const std::vector<Cell>& cells);
/// ATen's pools, means, standard deviations; and those that QNNPACK computes itself.
std::vector<Cell> pytorch_windows();
std::vector<Cell> qnnpack_windows();
/// ATen's elementwise kernels, and what QNNPACK takes from them.
std::vector<Cell> pytorch_elementwise();
std::vector<Cell> pytorch_qnnpack_elementwise();
/// Elementwise operators of the other runtimes; "builtin" is what LiteRT's optimized kernels change.
std::vector<Cell> onnxruntime_elementwise();
std::vector<Cell> tflite_elementwise(const std::string& rule);
std::vector<Cell> tflite_builtin_elementwise();
std::vector<Cell> xnnpack_elementwise();
/// Pools, means and sums of the other runtimes; `rule` as below.
std::vector<Cell> onnxruntime_windows();
std::vector<Cell> tflite_windows(const std::string& rule);
std::vector<Cell> tflite_builtin_windows();
std::vector<Cell> xnnpack_windows();
/// ATen's normalizations, padding and interpolation.
std::vector<Cell> pytorch_norms();
std::vector<Cell> pytorch_images();

/// Linear and convolution layers, integers to integers. `rule` is the fixed-point rule of requantize.hpp.
std::vector<Cell> onnxruntime_accumulate();
std::vector<Cell> tflite_reference_accumulate(const std::string& rule);
std::vector<Cell> tflite_ruy_accumulate(const std::string& rule);
std::vector<Cell> tflite_ruy_portable_accumulate();
std::vector<Cell> xnnpack_accumulate();
std::vector<Cell> tflm_accumulate(const std::string& rule);
/// `bounds`: "tosa_inexact" for what INEXACT_ROUND allows, else empty.
std::vector<Cell> tosa_accumulate(const std::string& rule, const std::string& bounds);

/// Operators that quantize x when it arrives: a cell by the versions of ATen's quantize_per_tensor, and the dynamic
/// convolutions of a table with static ones.
std::vector<Cell> quantized_when_it_arrives(Cell);
std::vector<Cell> pytorch_tables();
std::vector<Cell> dynamic_convolutions(const std::vector<Cell>& profile);
/// The linear layers inside LSTM and GRU are those of linear_dynamic.
std::vector<Cell> recurrent_layers(const std::vector<Cell>& profile);

/// Between floats and integers.
std::vector<Cell> onnxruntime_quantize();
std::vector<Cell> tflite_reference_quantize();
std::vector<Cell> tflite_optimized_quantize();
std::vector<Cell> xnnpack_quantize();

}  // namespace lastbit::cells
