// onnxruntime_accumulate.cpp: QLinearConv, QGemm and ConvInteger of ONNX Runtime's CPU provider (MLAS).
//
// One float32 multiplier; the integer bias starts the accumulator; the float is clamped, then rounded to nearest even, then the
// zero point is added. Only uint8 inputs times int8 weights share 16-bit registers; ConvInteger hands its operands over in the
// other order, so there it is int8 inputs times uint8 weights. Depthwise kernels widen, unless the weight zero points differ:
// then the matrix product runs.
//
// In QDQ models int8 activations become uint8, 128 higher, before anything is fused (QDQS8ToU8): such layers saturate although
// the dump shows int8. One that was not fused runs in float and is exact; then a float Conv is among the kernels. A dump of the
// optimized graph (the producer's "graph") shows the uint8; what is int8 there was never rewritten.
//
//   onnxruntime/core/mlas/lib/quantize.cpp                           MlasRequantizeOutput
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
  return {
      {layers, {}, "accumulate", stages, exact},
      {layers, {"u8s8_saturates", "x:uint8", "weight:int8"}, "accumulate", stages, pairs("flat")},
      {{"conv"}, {"u8s8_saturates", "x:int8", "weight:int8", "kernel:DequantizeLinear", "kernel:QLinearConv", "!kernel:Conv", "!graph:optimized"}, "accumulate", stages, rewritten},
      {layers, {"one_by_one", "!weight_zero_points_differ"}, "accumulate", stages, exact},
      {{"linear"}, {"y:float32"}, "accumulate", floats, exact},
      {{"linear"}, {"y:float32", "u8s8_saturates", "x:uint8", "weight:int8"}, "accumulate", floats, pairs("flat")},
      {{"conv"}, {"accumulator_only"}, "accumulate", stages, {{"accumulator", "int32"}, {"pairs", "none"}, {"pair_order", "channels_first"}}},
      {{"conv"}, {"accumulator_only", "u8s8_saturates", "x:int8", "weight:uint8"}, "accumulate", stages, pairs("channels_first")},
  };
}

}  // namespace lastbit::cells
