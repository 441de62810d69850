// tflite_elementwise.cpp: elementwise operators of LiteRT's own kernels.
//
// Everything is a 31-bit multiplier with two roundings (half up, then half away from zero); 8-bit sigmoid and tanh are tables of
// a float function, rounded half away; hard swish works in 16 bits. The optimized kernels on x86 change softmax and, for
// power-of-two scales, int16 sigmoid and tanh; and 8-bit ADD and MUL (not SUB) in whole vectors, of 8 elements for uint8, 16
// for int8, but 8 in ADD where one operand is a single value along the span: NEON code, on x86 through NEON_2_SSE.
//
//   tflite/kernels/activations.cc, add.cc, sub.cc, mul.cc, concatenation.cc
//   tflite/kernels/internal/optimized/optimized_ops.h, optimized/integer_ops/{add,mul}.h   AddElementwise, MulElementwise
//   tflite/kernels/internal/reference/{add,hard_swish,softmax,leaky_relu,prelu}.h, integer_ops/{add,mul,logistic,tanh,lut}.h
#include "lib/cells/cells.hpp"

namespace lastbit::cells {

std::vector<Cell> tflite_elementwise(const std::string& rule) {
  const std::string ratio = "f32(si) / f32(so)";
  return {
      {{"add", "sub"}, {}, "gemmlowp", {}, {{"left", "20"}, {"fixed", rule}, {"bound", "half_away"}}},
      {{"add", "sub"}, {"a:int16"}, "gemmlowp", {}, {{"left", "15"}, {"fixed", rule}, {"bound", "half_away"}}},
      {{"mul"}, {}, "stages", {"fixed " + rule + " f32(si) * f32(sw) / f32(so)", "zero_point", "clamp"}, {{"bound", "half_away"}}},
      {{"cat"}, {}, "copy", {}, {}},
      {{"cat"}, {"y:uint8"}, "scale_bias", {}, {}},
      {{"cat"}, {"y:uint8", "arm"}, "scale_bias", {}, {{"product", "fused"}}},
      {{"limits"}, {}, "stages", {"fixed " + rule + " " + ratio, "zero_point", "clamp"}, {{"bound", "divide_away"}}},
      {{"prelu"}, {}, "fixed", {}, {{"fixed", rule}, {"positive", ratio}, {"negative", "f32(si) * f32(sw) / f32(so)"}}},
      {{"leaky_relu"}, {}, "fixed", {}, {{"fixed", rule}, {"positive", ratio}, {"negative", "f32(si) * f32(alpha) / f32(so)"}}},
      {{"hardswish"}, {}, "gemmlowp16", {}, {}},
      {{"sigmoid"}, {}, "lut", {}, {{"function", "float32"}, {"rounding", "inverse_away"}}},
      {{"tanh"}, {}, "lut", {}, {{"function", "float64"}, {"rounding", "inverse_away"}}},
      {{"sigmoid", "tanh"}, {"x:int16"}, "table16", {}, {}},
      {{"softmax"}, {}, "gemmlowp", {}, {}},
      {{"softmax"}, {"x:int16"}, "int16", {}, {}},
  };
}

std::vector<Cell> tflite_builtin_elementwise() {
  const std::vector<std::string> scaled{"fixed double_away f32(si) * f32(sw) / f32(so)"};
  const auto sum = [](const std::string& vectors, const std::string& inputs) {
    return std::map<std::string, std::string>{{"left", "20"}, {"fixed", "double_away"}, {"bound", "half_away"}, {"vectors", vectors}, {"inputs", inputs}};
  };
  return {
      {{"add"}, {"a:uint8"}, "gemmlowp", {}, sum("8", "floor")},
      {{"add"}, {"a:int8"}, "gemmlowp", {}, sum("16", "one_rounding")},
      {{"add"}, {"a:int8", "scalar:a"}, "gemmlowp", {}, sum("8", "one_rounding")},
      {{"add"}, {"a:int8", "scalar:b"}, "gemmlowp", {}, sum("8", "one_rounding")},
      {{"mul"}, {"a:int8"}, "stages", scaled, {{"bound", "half_away"}, {"int16_vector", "16"}}},
      {{"mul"}, {"a:uint8"}, "stages", scaled, {{"bound", "half_away"}, {"int16_vector", "8"}}},
      {{"sigmoid", "tanh"}, {"x:int16", "x_4096ths"}, "gemmlowp16", {}, {}},
      {{"tanh"}, {"x:int16", "x_2048ths"}, "gemmlowp16", {}, {}},
      {{"softmax"}, {"!x:int16"}, "float_table", {}, {}},
      {{"softmax"}, {"!x:int16", "arm"}, "uint16_table", {}, {}},
      {{"hardswish"}, {"arm"}, "gemmlowp16", {}, {{"vector", "8"}}},
  };
}

}  // namespace lastbit::cells
