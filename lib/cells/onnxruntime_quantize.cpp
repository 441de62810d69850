// onnxruntime_quantize.cpp: QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear and matrix products of ONNX Runtime's CPU
// provider: QLinearMatMul, MatMulInteger, MatMulIntegerToFloat, DynamicQuantizeMatMul, QGemm.
//
// A true division, clamped before it is rounded, so that NaN gives qmin. 4-bit values that share a byte with another slice, all
// 2-bit values and block-wise scales go through int32: 1e20 becomes INT_MIN there, and INT_MIN + zero point wraps.
//
//   onnxruntime/core/mlas/lib/quantize.cpp   MlasQuantizeLinearVector
//   onnxruntime/core/util/qmath.h            DEFINE_PAR_QUANT_LINEAR_STD_4BIT, BlockedQuantizeLinear, GetQuantizationParameter
//   onnxruntime/contrib_ops/cpu/quantization/dynamic_quantize_matmul.cc, quantize_linear_matmul.cc
#include "lib/cells/cells.hpp"

namespace lastbit::cells {

std::vector<Cell> onnxruntime_quantize() {
  const std::map<std::string, std::string> plain{{"rounding", "divide_even"}}, wrap{{"rounding", "divide_even_wrap"}},
      nibbles{{"rounding", "divide_even"}, {"edges", "divide_even_wrap"}};
  // y = f32(f32(acc) * f32(sx * sw)) + bias; Arm fuses the addition. Pairs of products as in onnxruntime_accumulate.cpp.
  const std::map<std::string, std::string> exact{{"accumulator", "int32"}, {"pairs", "none"}, {"choose", "onnx"}, {"rounding", "divide_even"}};
  auto pairs = exact, rewritten = exact;
  for (auto* with : {&pairs, &rewritten}) (*with)["pairs"] = "int16", (*with)["pair_order"] = "flat", (*with)["pair_outside"] = "zero_point";
  rewritten["pair_offset"] = "128";
  auto signed_codes = pairs;  // plain NEON, as in onnxruntime_accumulate.cpp
  signed_codes["pair_order"] = "eights", signed_codes["pair_beyond"] = "wrap";
  auto made_signed = signed_codes;
  made_signed["pair_offset"] = "-128";
  const std::string scale = "f32(alpha) * f32(si) * f32(sw)";
  const std::vector<std::string> separate{"float", "multiply " + scale, "add f32(bias)", "activation"}, fused{"float", "muladd " + scale + " ; f32(bias)", "activation"},
      integer_bias{"bias bias", "float", "multiply " + scale, "activation"}, stored{"bias bias", "float", "multiply " + scale + " / f32(so)", "range", "round half_even int_min", "zero_point", "clamp"};
  std::vector<Cell> cells;
  const std::vector<std::pair<std::vector<std::string>, std::map<std::string, std::string>>> accumulators{
      {{}, exact}, {{"u8s8_saturates", "a:uint8", "b:int8"}, pairs}, {{"u8s8_saturates", "a:int8", "b:int8", "kernel:DequantizeLinear", "kernel:QLinearMatMul", "!kernel:MatMul", "!graph:optimized"}, rewritten},
      {{"isa:neon", "a:int8", "b:int8"}, signed_codes}, {{"isa:neon", "a:uint8", "b:int8"}, made_signed}};
  const std::vector<std::pair<std::vector<std::string>, std::vector<std::string>>> endings{{{}, stored}, {{"y:float32"}, separate}, {{"y:float32", "arm", "bias"}, fused}, {{"y:float32", "bias:int32"}, integer_bias}};
  for (const auto& [when, with] : accumulators)
    for (const auto& [ending, stages] : endings) {
      Cell c{{"matmul"}, when, "accumulate", stages, with};
      c.when.insert(c.when.end(), ending.begin(), ending.end());
      cells.push_back(c);
    }
  append(cells, {
      {{"linear_weight_only"}, {}, "float", {}, {}},  // MatMulNBits, sqnbitgemm*.cpp
      {{"linear_weight_only"}, {"accuracy_level:4", "!no_avx2", "!float_blocks", "!float_zero_point"}, "int8_blocks", {}, {}},
      // Measured on neoverse-n1 and with int8 matrix products: which blocks halves go away from zero in, and where a row is quantized whole.
      {{"linear_weight_only"}, {"accuracy_level:4", "arm", "weight:uint4", "!float_zero_point", "!kleidiai"}, "int8_blocks", {}, {{"inverse", "of_scale"}}},
      {{"linear_weight_only"}, {"accuracy_level:4", "arm", "weight:uint8", "!float_zero_point"}, "int8_blocks", {}, {{"moved", "128"}}},
      {{"linear_weight_only"}, {"accuracy_level:4", "arm", "kleidiai_rows"}, "int8_rows", {}, {}},
      {{"linear_weight_only"}, {"isa:neon"}, "float", {}, {}},  // MLAS's int8 kernels ask for dot products (sqnbitgemm_kernel_neon.cpp)
      {{"linear_dynamic"}, {}, "accumulate", separate, exact},
      {{"linear_dynamic"}, {"u8s8_saturates", "weight:int8"}, "accumulate", separate, pairs},
      {{"linear_dynamic"}, {"arm", "bias"}, "accumulate", fused, exact},
      {{"linear_dynamic"}, {"isa:neon", "weight:int8"}, "accumulate", separate, made_signed},
      {{"linear_dynamic"}, {"isa:neon", "weight:int8", "bias"}, "accumulate", fused, made_signed},
      {{"quantize"}, {}, "quantize", {}, plain},
      {{"quantize"}, {"y:uint4"}, "quantize", {}, nibbles},
      {{"quantize"}, {"y:int4"}, "quantize", {}, nibbles},
      {{"quantize"}, {"y:uint2"}, "quantize", {}, wrap},
      {{"quantize"}, {"y:int2"}, "quantize", {}, wrap},
      {{"quantize"}, {"y_grouped"}, "quantize", {}, wrap},
      {{"quantize_dynamic"}, {}, "choose_quantize", {}, {{"choose", "onnx"}, {"rounding", "divide_even"}}},
      {{"dequantize"}, {}, "dequantize", {}, {{"multiply", "float32"}}},
  });
  return cells;
}

}  // namespace lastbit::cells
