// tflm: TensorFlow Lite for Microcontrollers, its own kernels.
//
// As tflite-reference, but fully connected layers are fixed point here (LiteRT's reference kernel rounds a float64).
#include "lib/cells/cells.hpp"

namespace lastbit::profiles {

Profile tflm() {
  Profile p{
      .name = "tflm",
      .title = "TensorFlow Lite for Microcontrollers, reference kernels",
      .sources = {"tflite-micro 90b983c2",
                  "tensorflow/lite/micro/kernels/fully_connected_common.cc: CalculateOpDataFullyConnected",
                  "tensorflow/lite/kernels/internal/common.cc: MultiplyByQuantizedMultiplier"},
      .evidence = "formula only: read in the source, not run; the shared primitives are those of tflite-reference, which is measured",
      .for_producer = {},
      .replaces = "",
      .replaces_when = {},
      .isas = {},
      .cells = {}};
  cells::append(p.cells, cells::tflm_accumulate("double_away"));
  return p;
}

}  // namespace lastbit::profiles
