// tflm_accumulate.cpp: what TensorFlow Lite for Microcontrollers computes in its own kernels and in CMSIS-NN's, which get their
// multipliers from it. `rule`: double_away (the default build) or single (TFLITE_SINGLE_ROUNDING, CMSIS_NN_USE_SINGLE_ROUNDING).
//
//   tensorflow/lite/micro/kernels/conv_common.cc, fully_connected_common.cc   multipliers
//   tensorflow/lite/kernels/internal/common.cc    MultiplyByQuantizedMultiplier
//   CMSIS-NN/Include/arm_nnsupportfunctions.h     arm_nn_requantize, arm_nn_requantize_s64
#include "lib/cells/cells.hpp"

namespace lastbit::cells {

std::vector<Cell> tflm_accumulate(const std::string& rule) {
  const std::string in_double = "si * sw / so", in_single = "f64(f32(si) * f32(sw)) / so";
  const std::map<std::string, std::string> int32_sum{{"accumulator", "int32"}, {"pairs", "none"}, {"bound", "half_away"}};
  const std::map<std::string, std::string> int64_sum{{"accumulator", "int64"}, {"pairs", "none"}, {"bound", "half_away"}};
  const auto fixed = [&](const std::string& multiplier) { return std::vector<std::string>{"bias bias", "fixed " + rule + " " + multiplier, "zero_point", "clamp"}; };
  const auto reduced = [](const std::string& multiplier) { return std::vector<std::string>{"bias64 bias", "fixed reduced " + multiplier, "zero_point", "clamp"}; };
  return {
      {{"conv", "conv_transpose"}, {}, "accumulate", fixed(in_double), int32_sum},
      {{"conv", "conv_transpose"}, {"x:int16"}, "accumulate", reduced(in_double), int64_sum},
      {{"conv", "conv_transpose"}, {"x:int16", "bias_dtype:int32"}, "accumulate", fixed(in_double), int32_sum},
      {{"linear"}, {}, "accumulate", fixed(in_single), int32_sum},
      {{"linear"}, {"several_scales"}, "accumulate", fixed(in_double), int32_sum},
      {{"linear"}, {"x:int16"}, "accumulate", reduced(in_single), int64_sum},
      {{"linear"}, {"x:int16", "several_scales"}, "accumulate", reduced(in_double), int64_sum},
      {{"requantize"}, {}, "stages", {"fixed " + rule + " si / so", "zero_point", "clamp"}, {}},
  };
}

}  // namespace lastbit::cells
