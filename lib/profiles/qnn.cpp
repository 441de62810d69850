// qnn: Qualcomm's QNN. Its encodings hold an offset, real = (q + offset) * scale: a dump's zero_point is -offset. A dump that
// kept the sign shows as a zero point out of range, or as every element moved.
//
// How the HTP rounds inside is not published (16-bit fixed point has been seen on HVX). This is the real value, rounded to
// nearest even once: what its CPU reference converges to.
#include "lib/cells/cells.hpp"

namespace lastbit::profiles {

Profile qnn() {
  const std::vector<std::string> layers{"linear", "conv", "conv_transpose"};
  const std::map<std::string, std::string> exact{{"accumulator", "int32"}, {"pairs", "none"}, {"bound", "half_even"}};
  Profile p{
      .name = "qnn",
      .title = "Qualcomm QNN (HTP): encodings with an offset",
      .sources = {"Qualcomm AI Engine Direct SDK documentation: Qnn_QuantizeParams_t, scale offset encoding",
                  "LiteRT, vendors/qualcomm/core/wrappers/quantize_params_wrapper.cc: offset = -zero_point"},
      .evidence = "formula only: vendor documentation of the encodings; the requantization inside is not published, nothing was run",
      .for_producer = {},
      .replaces = "",
      .replaces_when = {},
      .isas = {},
      .cells = {
          {layers, {}, "accumulate", {"bias bias", "double", "multiply si * sw / so", "round half_even exact", "zero_point", "clamp"}, exact},
          {layers, {"bias:float32"}, "accumulate", {"bias bias / (si * sw)", "double", "multiply si * sw / so", "round half_even exact", "zero_point", "clamp"}, exact},
          {{"requantize"}, {}, "stages", {"double", "multiply si / so", "round half_even exact", "zero_point", "clamp"}, {}},
      }};
  return p;
}

}  // namespace lastbit::profiles
