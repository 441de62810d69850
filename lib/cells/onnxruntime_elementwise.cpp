// onnxruntime_elementwise.cpp: QLinearAdd, QLinearMul, QLinearConcat, the lookup tables and QLinearSoftmax of ONNX Runtime.
//
// Add and mul put the zero point inside the rounding, lookup tables outside (they are QuantizeLinear of a float function).
// One add has three answers: fused float32 with AVX2, plain float32 before it, 22-bit fixed point on Arm.
//
//   onnxruntime/core/mlas/lib/qladd.cpp, intrinsics/avx2/qladd_avx2.cpp, qlmul.cpp, logistic.cpp
//   onnxruntime/contrib_ops/cpu/quantization/qlinear_lookup_table.cc, qlinear_softmax.cc, qlinear_concat.cc
#include "lib/cells/cells.hpp"

namespace lastbit::cells {

std::vector<Cell> onnxruntime_elementwise() {
  const std::string product = "f32(si) * f32(sw) / f32(so)";
  return {
      {{"add"}, {}, "mlas", {}, {{"order", "fma"}}},
      {{"add"}, {"no_avx2"}, "mlas", {}, {{"order", "plain"}}},
      {{"add"}, {"arm"}, "unsupported", {}, {}},
      {{"add"}, {"arm", "fixed22"}, "fixed22_away", {}, {}},
      {{"mul"}, {}, "stages", {"float", "multiply " + product, "zero_point", "round half_even int_min", "clamp"}, {}},
      {{"mul"}, {"arm"}, "stages", {"float", "muladd " + product + " ; f32(zo)", "round half_even saturate", "clamp"}, {}},
      {{"cat"}, {}, "dequantize_quantize", {}, {{"rounding", "divide_even"}, {"equal", "copy"}}},
      {{"leaky_relu"}, {}, "lut", {}, {{"rounding", "divide_even"}}},
      {{"sigmoid"}, {}, "lut", {}, {{"function", "mlas_fma"}, {"rounding", "divide_even"}}},
      {{"sigmoid"}, {"no_avx2"}, "lut", {}, {{"function", "mlas"}, {"rounding", "divide_even"}}},
      {{"softmax"}, {}, "mlas", {}, {{"order", "known"}}},
      {{"softmax"}, {"arm"}, "mlas", {}, {{"order", "unknown"}, {"conversion", "saturate"}}},
  };
}

}  // namespace lastbit::cells
