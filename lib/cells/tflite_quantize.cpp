// tflite_quantize.cpp: QUANTIZE (from float32), DEQUANTIZE and BATCH_MATMUL of LiteRT and XNNPACK.
//
// The optimized kernels are NEON code, on x86 through NEON_2_SSE: vectors of 8 multiply by the reciprocal and round to nearest
// even, the rest divides in float64 and rounds half away from zero.
//
//   tflite/kernels/internal/reference/quantize.h            AffineQuantize
//   tflite/kernels/internal/optimized/optimized_ops.h       AffineQuantize, Dequantize
//   tflite/kernels/batch_matmul.cc                          EvalInt8Int8, EvalInt16Int16
#include "lib/cells/cells.hpp"

namespace lastbit::cells {

std::vector<Cell> tflite_reference_quantize() {
  // BATCH_MATMUL: the reference kernel everywhere. The product of the scales is one float32 step.
  const std::string multiplier = "f64(f32(si) * f32(sw)) / so";
  return {
      {{"matmul"}, {}, "accumulate", {"bias bias", "fixed double_away " + multiplier, "zero_point", "clamp"}, {{"accumulator", "int32"}, {"pairs", "none"}, {"bound", "half_away"}}},
      {{"matmul"}, {"a:int16"}, "accumulate", {"bias64 bias", "fixed reduced " + multiplier, "zero_point", "clamp"}, {{"accumulator", "int64"}, {"pairs", "none"}, {"bound", "half_away"}}},
      {{"quantize"}, {}, "quantize", {}, {{"rounding", "divide_away"}}},
      {{"dequantize"}, {}, "dequantize", {}, {{"multiply", "float32"}}},
  };
}

std::vector<Cell> tflite_optimized_quantize() {
  std::vector<Cell> cells = tflite_reference_quantize();
  const std::map<std::string, std::string> vectors{{"rounding", "outside"}, {"vector", "8"}, {"tail", "divide_away_f64"}};
  const std::map<std::string, std::string> split{{"multiply", "split"}, {"vector", "8"}}, fused{{"multiply", "split_fused"}, {"vector", "8"}};
  append(cells, {
      {{"quantize"}, {}, "quantize", {}, vectors},
      {{"dequantize"}, {}, "dequantize", {}, split},
      {{"dequantize"}, {"arm"}, "dequantize", {}, fused},
  });
  return cells;
}

std::vector<Cell> xnnpack_quantize() {
  const std::vector<std::string> fp32{"float", "multiply f32(si) * f32(sw) / f32(so)", "range", "round half_even int_min", "zero_point", "clamp"};
  return {
      {{"matmul"}, {}, "accumulate", fp32, {{"accumulator", "int32"}, {"pairs", "none"}}},
      {{"quantize"}, {}, "quantize", {}, {{"rounding", "outside"}}},
      {{"dequantize"}, {}, "dequantize", {}, {{"multiply", "float32"}}},
  };
}

}  // namespace lastbit::cells
