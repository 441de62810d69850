// tflite_quantize.cpp: QUANTIZE (from float32) and DEQUANTIZE of LiteRT and XNNPACK.
//
// The optimized kernels are NEON code, on x86 through NEON_2_SSE: vectors of 8 multiply by the reciprocal and round to nearest
// even, the rest divides in float64 and rounds half away from zero.
//
//   tflite/kernels/internal/reference/quantize.h            AffineQuantize
//   tflite/kernels/internal/optimized/optimized_ops.h       AffineQuantize, Dequantize
#include "lib/cells/cells.hpp"

namespace lastbit::cells {

std::vector<Cell> tflite_reference_quantize() {
  return {
      {{"quantize"}, {}, "quantize", {}, {{"rounding", "divide_away"}}},
      {{"dequantize"}, {}, "dequantize", {}, {{"multiply", "float32"}}},
  };
}

std::vector<Cell> tflite_optimized_quantize() {
  const std::map<std::string, std::string> vectors{{"rounding", "outside"}, {"vector", "8"}, {"tail", "divide_away_f64"}};
  const std::map<std::string, std::string> split{{"multiply", "split"}, {"vector", "8"}};
  return {
      {{"quantize"}, {}, "quantize", {}, vectors},
      {{"dequantize"}, {}, "dequantize", {}, split},
  };
}

std::vector<Cell> xnnpack_quantize() {
  return {
      {{"quantize"}, {}, "quantize", {}, {{"rounding", "outside"}}},
      {{"dequantize"}, {}, "dequantize", {}, {{"multiply", "float32"}}},
  };
}

}  // namespace lastbit::cells
