// onnxruntime_accumulate.cpp: QLinearConv, QLinearMatMul, QGemm, ConvInteger of ONNX Runtime's CPU provider (MLAS).
//
// One float32 multiplier, f32(f32(sx * sw) / sy); the integer bias starts the accumulator; the float is clamped, then rounded
// to nearest even, then the zero point is added.
//
//   onnxruntime/core/mlas/lib/quantize.cpp                           MlasRequantizeOutput
//   onnxruntime/core/providers/cpu/quantization/qlinearconv.cc       ComputeOutputScale
//   onnxruntime/contrib_ops/cpu/quantization/quant_gemm.cc           QGemm::Compute
#include "lib/cells/cells.hpp"

namespace lastbit::cells {

std::vector<Cell> onnxruntime_accumulate() {
  const std::vector<std::string> stages{"bias bias", "float", "multiply f32(alpha) * f32(si) * f32(sw) / f32(so)", "range", "round half_even int_min", "zero_point", "clamp"};
  const std::map<std::string, std::string> exact{{"accumulator", "int32"}, {"pairs", "none"}};
  return {
      {{"linear", "conv", "conv_transpose"}, {}, "accumulate", stages, exact},
  };
}

}  // namespace lastbit::cells
