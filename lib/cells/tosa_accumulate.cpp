// tosa_accumulate.cpp: CONV2D, DEPTHWISE_CONV2D, TRANSPOSE_CONV2D, FULLY_CONNECTED followed by RESCALE, with the multipliers that
// the TensorFlow Lite converter computes (always in float64).
//
//   tosa-specification/pseudocode/library/scale_helpers.tosac   apply_scale_32, apply_scale_16
//   tensorflow/compiler/mlir/tosa/transforms/legalize_utils.cc  buildRescale
//   mlir/lib/Dialect/Tosa/Utils/QuantUtils.cpp                  computeMultiplierAndShift
#include "lib/cells/cells.hpp"

namespace lastbit::cells {

std::vector<Cell> tosa_accumulate(const std::string& rule, const std::string& bounds) {
  const std::vector<std::string> layers{"linear", "conv", "conv_transpose"};
  const auto sum = [&](const std::string& accumulator) {
    std::map<std::string, std::string> with{{"accumulator", accumulator}, {"pairs", "none"}, {"bound", "half_away"}};
    if (!bounds.empty()) with["bounds"] = bounds;
    return with;
  };
  std::map<std::string, std::string> alone;
  if (!bounds.empty()) alone["bounds"] = bounds;
  return {
      {layers, {}, "accumulate", {"bias bias", "fixed " + rule + " si * sw / so", "zero_point", "clamp"}, sum("int32")},
      {layers, {"x:int16"}, "accumulate", {"bias64 bias", "fixed scale16 si * sw / so", "zero_point", "clamp"}, sum("int64")},
      {{"requantize"}, {}, "stages", {"fixed " + rule + " si / so", "zero_point", "clamp"}, alone},
  };
}

}  // namespace lastbit::cells
