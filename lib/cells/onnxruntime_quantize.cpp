// onnxruntime_quantize.cpp: QuantizeLinear, DequantizeLinear and DynamicQuantizeLinear of ONNX Runtime's CPU provider.
//
// A true division, clamped before it is rounded, so that NaN gives qmin. 4-bit values that share a byte with another slice, all
// 2-bit values and block-wise scales go through int32: 1e20 becomes INT_MIN there, and INT_MIN + zero point wraps.
//
//   onnxruntime/core/mlas/lib/quantize.cpp   MlasQuantizeLinearVector
//   onnxruntime/core/util/qmath.h            DEFINE_PAR_QUANT_LINEAR_STD_4BIT, BlockedQuantizeLinear, GetQuantizationParameter
#include "lib/cells/cells.hpp"

namespace lastbit::cells {

std::vector<Cell> onnxruntime_quantize() {
  const std::map<std::string, std::string> plain{{"rounding", "divide_even"}}, wrap{{"rounding", "divide_even_wrap"}},
      nibbles{{"rounding", "divide_even"}, {"edges", "divide_even_wrap"}};
  return {
      {{"quantize"}, {}, "quantize", {}, plain},
      {{"quantize"}, {"y:uint4"}, "quantize", {}, nibbles},
      {{"quantize"}, {"y:int4"}, "quantize", {}, nibbles},
      {{"quantize"}, {"y:uint2"}, "quantize", {}, wrap},
      {{"quantize"}, {"y:int2"}, "quantize", {}, wrap},
      {{"quantize"}, {"y_grouped"}, "quantize", {}, wrap},
      {{"quantize_dynamic"}, {}, "choose_quantize", {}, {{"choose", "onnx"}, {"rounding", "divide_even"}}},
      {{"dequantize"}, {}, "dequantize", {}, {{"multiply", "float32"}}},
  };
}

}  // namespace lastbit::cells
