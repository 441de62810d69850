// cmsis_nn_single: CMSIS-NN built with CMSIS_NN_USE_SINGLE_ROUNDING: one rounding, half up.
//
// The predicated MVE form (arm_requantize_mve_pred) still rounds twice in that build (CMSIS-NN issue 170): the last vector of a
// row may differ on such a device.
#include "lib/cells/cells.hpp"

namespace lastbit::profiles {

Profile cmsis_nn_single() {
  Profile p{
      .name = "cmsis-nn-single",
      .title = "CMSIS-NN built with CMSIS_NN_USE_SINGLE_ROUNDING",
      .sources = {"CMSIS-NN 99f736a6",
                  "Include/arm_nnsupportfunctions.h: arm_nn_requantize under CMSIS_NN_USE_SINGLE_ROUNDING"},
      .evidence = "formula only: arm_nn_requantize was compiled on x86 and agrees; no kernel was run on a device",
      .for_producer = {},
      .replaces = "",
      .replaces_when = {},
      .isas = {},
      .cells = {}};
  cells::append(p.cells, cells::tflm_accumulate("single"));
  cells::append(p.cells, cells::tflite_windows("single"));
  cells::append(p.cells, cells::tflite_elementwise("single"));
  // Logistic and tanh are gemmlowp's fixed point here, not a table of floats; the int16 softmax has tables of its own.
  p.cells.push_back({{"sigmoid", "tanh"}, {"!x:int16"}, "unsupported", {}, {}});
  p.cells.push_back({{"softmax"}, {}, "unsupported", {}, {}});
  return p;
}

}  // namespace lastbit::profiles
