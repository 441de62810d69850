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
                  "tensorflow/lite/kernels/internal/common.cc: MultiplyByQuantizedMultiplier",
                  "tensorflow/lite/kernels/internal/reference: add, mul, pooling, reduce, softmax, hard_swish, as in LiteRT"},
      .evidence = "formula only: read in the source, not run; the shared primitives are those of tflite-reference, which is measured",
      .for_producer = {},
      .replaces = "",
      .replaces_when = {},
      .isas = {},
      .cells = {}};
  cells::append(p.cells, cells::tflm_accumulate("double_away"));
  cells::append(p.cells, cells::tflite_windows("double_away"));
  cells::append(p.cells, cells::tflite_elementwise("double_away"));
  cells::append(p.cells, cells::tflite_reference_quantize());
  // Logistic and tanh are gemmlowp's fixed point here, not a table of floats; the int16 softmax has tables of its own.
  p.cells.push_back({{"sigmoid", "tanh"}, {"!x:int16"}, "unsupported", {}, {}});
  p.cells.push_back({{"softmax"}, {"x:int16"}, "unsupported", {}, {}});
  return p;
}

}  // namespace lastbit::profiles
