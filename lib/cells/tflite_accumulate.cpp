// tflite_accumulate.cpp: CONV_2D, DEPTHWISE_CONV_2D, TRANSPOSE_CONV, FULLY_CONNECTED and QUANTIZE (integers to integers) of
// LiteRT, reference kernels and ruy.
//
//   tflite/kernels/kernel_util.cc            PopulateConvolutionQuantizationParams, CalculateActivationRangeQuantized
//   tflite/kernels/internal/common.cc        MultiplyByQuantizedMultiplier
//   ruy/kernel_avx2_fma.cc, kernel_arm64.cc  the same multiplication, rounded otherwise
#include "lib/cells/cells.hpp"

namespace lastbit::cells {
namespace {

std::vector<std::string> fixed(const std::string& rule, const std::string& multiplier) {
  return {"bias bias", "fixed " + rule + " " + multiplier, "zero_point", "clamp"};
}
const std::map<std::string, std::string> exact{{"accumulator", "int32"}, {"pairs", "none"}, {"bound", "half_away"}};

}  // namespace

std::vector<Cell> tflite_reference_accumulate(const std::string& rule) {
  return {
      {{"conv", "conv_transpose"}, {}, "accumulate", fixed(rule, "si * sw / so"), exact},
      {{"linear"}, {}, "accumulate", {"bias bias", "double", "multiply si * sw / so", "round half_away exact", "zero_point", "clamp"}, exact},
      {{"requantize"}, {}, "stages", {"fixed " + rule + " si / so", "zero_point", "clamp"}, {}},
  };
}

std::vector<Cell> tflite_ruy_accumulate(const std::string& rule) {
  return {
      {{"conv", "conv_transpose"}, {}, "accumulate", fixed(rule, "si * sw / so"), exact},
      {{"linear"}, {}, "accumulate", fixed(rule, "f64(f32(si) * f32(sw)) / so"), exact},
      {{"linear"}, {"several_scales"}, "accumulate", fixed(rule, "si * sw / so"), exact},
  };
}

}  // namespace lastbit::cells
