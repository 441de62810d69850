// onnxruntime_accumulate.cpp: QLinearConv, QGemm and ConvInteger of ONNX Runtime's CPU provider (MLAS).
//
// One float32 multiplier; the integer bias starts the accumulator; the float is clamped, then rounded to nearest even, then the
// zero point is added. Only uint8 inputs times int8 weights share 16-bit registers; ConvInteger hands its operands over in the
// other order, so there it is int8 inputs times uint8 weights. Depthwise kernels widen, unless the weight zero points differ:
// then the matrix product runs.
//
// On ARM, kernels of int8 codes add two products in 16 bits, which wrap when all four are -128: depthwise convolutions without zero
// points of their weights, uint8 inputs moved by 128; without dot products also what else has no such zero point and is convolved
// directly, and matrix products of int8 by int8 (smull, smlal).
//
// In QDQ models int8 activations become uint8, 128 higher, before anything is fused (QDQS8ToU8): such layers saturate although
// the dump shows int8. One that was not fused runs in float and is exact; then a float Conv is among the kernels. A dump of the
// optimized graph (the producer's "graph") shows the uint8; what is int8 there was never rewritten.
//
//   onnxruntime/core/mlas/lib/quantize.cpp                           MlasRequantizeOutput
//   onnxruntime/core/mlas/lib/convsym.cpp, qdwconv_kernelsize.cpp, aarch64/DepthwiseQConv*.S, ConvSym*KernelNeon.S, QgemmS8S8KernelNeon.S
//   onnxruntime/core/providers/cpu/quantization/qlinearconv.cc       ComputeOutputScale, Compute
//   onnxruntime/core/providers/cpu/quantization/conv_integer.cc      Compute
//   onnxruntime/contrib_ops/cpu/quantization/quant_gemm.cc           Compute
#include "lib/cells/cells.hpp"

namespace lastbit::cells {

std::vector<Cell> onnxruntime_accumulate() {
  const std::vector<std::string> layers{"linear", "conv", "conv_transpose"};
  const std::vector<std::string> stages{"bias bias", "float", "multiply f32(alpha) * f32(si) * f32(sw) / f32(so)", "range", "round half_even int_min", "zero_point", "clamp"};
  const std::vector<std::string> floats{"bias bias", "float", "multiply f32(alpha) * f32(si) * f32(sw)"};
  const auto pairs = [](const std::string& order) {
    return std::map<std::string, std::string>{{"accumulator", "int32"}, {"pairs", "int16"}, {"pair_order", order}, {"pair_outside", "zero_point"}};
  };
  const std::map<std::string, std::string> exact{{"accumulator", "int32"}, {"pairs", "none"}};
  auto rewritten = pairs("flat");
  rewritten["pair_offset"] = "128";
  std::vector<Cell> arm;
  struct Kernel {
    std::string op;
    std::vector<std::string> when;
    std::string order;
    std::vector<std::string> stages;
  };
  const std::vector<Kernel> kernels{
      {"linear", {"isa:neon"}, "eights", stages},
      {"linear", {"isa:neon", "y:float32"}, "eights", floats},
      {"conv", {"isa:neon", "!accumulator_only", "!one_by_one"}, "eights", stages},
      {"conv", {"isa:neon", "accumulator_only"}, "eights_channels_first", stages},
      {"conv", {"isa:neon", "!accumulator_only", "!weight_zero_point", "mlas_indirect"}, "eights_of_tap", stages},
      {"conv", {"arm", "!accumulator_only", "!weight_zero_point", "mlas_depthwise"}, "flat", stages},
      {"conv", {"arm", "!accumulator_only", "!weight_zero_point", "mlas_depthwise", "mlas_nine_taps"}, "nine_taps", stages}};
  for (const auto& k : kernels)
    for (const auto& [type, offset] : {std::pair{"x:int8", "0"}, std::pair{"x:uint8", "-128"}}) {
      Cell c{{k.op}, k.when, "accumulate", k.stages, pairs(k.order)};
      c.when.insert(c.when.end(), {type, "weight:int8"});
      c.with["pair_offset"] = offset, c.with["pair_beyond"] = "wrap";
      arm.push_back(c);
    }
  // Weights without zero points times int8 have a kernel that adds every product on its own (SymQgemmS8KernelNeon.S).
  arm.push_back({{"conv"}, {"isa:neon", "!accumulator_only", "!weight_zero_point", "!mlas_indirect", "!mlas_depthwise", "x:int8", "weight:int8"}, "accumulate", stages, exact});
  std::vector<Cell> all{
      {layers, {}, "accumulate", stages, exact},
      {layers, {"u8s8_saturates", "x:uint8", "weight:int8"}, "accumulate", stages, pairs("flat")},
      {{"conv"}, {"u8s8_saturates", "x:int8", "weight:int8", "kernel:DequantizeLinear", "kernel:QLinearConv", "!kernel:Conv", "!graph:optimized"}, "accumulate", stages, rewritten},
      {layers, {"one_by_one", "!weight_zero_points_differ"}, "accumulate", stages, exact},
      {{"linear"}, {"y:float32"}, "accumulate", floats, exact},
      {{"linear"}, {"y:float32", "u8s8_saturates", "x:uint8", "weight:int8"}, "accumulate", floats, pairs("flat")},
      {{"conv"}, {"accumulator_only"}, "accumulate", stages, {{"accumulator", "int32"}, {"pairs", "none"}, {"pair_order", "channels_first"}}},
      {{"conv"}, {"accumulator_only", "u8s8_saturates", "x:int8", "weight:uint8"}, "accumulate", stages, pairs("channels_first")},
  };
  append(all, arm);
  return all;
}

}  // namespace lastbit::cells
