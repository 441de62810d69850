// cmsis_nn: Arm's CMSIS-NN as TensorFlow Lite for Microcontrollers calls it.
//
// arm_nn_requantize: doubling high multiply without saturation, half up, then a shift that rounds half away from zero: what the
// reference kernels compute (59 million values, no difference). With MVE the same by vqrdmulh and a corrected vrshl.
#include "lib/cells/cells.hpp"

namespace lastbit::profiles {

Profile cmsis_nn() {
  Profile p{
      .name = "cmsis-nn",
      .title = "CMSIS-NN, default build: two roundings",
      .sources = {"CMSIS-NN 99f736a6",
                  "Include/arm_nnsupportfunctions.h: arm_nn_requantize, arm_nn_requantize_s64",
                  "Source/ConvolutionFunctions, FullyConnectedFunctions",
                  "Source/BasicMathFunctions, PoolingFunctions, SoftmaxFunctions: the formulas of TFLite's reference kernels"},
      .evidence = "formula only: arm_nn_requantize was compiled on x86 and agrees; no kernel was run on a device",
      .for_producer = {},
      .replaces = "",
      .replaces_when = {},
      .isas = {},
      .cells = {}};
  cells::append(p.cells, cells::tflm_accumulate("double_away"));
  cells::append(p.cells, cells::tflite_windows("double_away"));
  cells::append(p.cells, cells::tflite_elementwise("double_away"));
  // Logistic and tanh are gemmlowp's fixed point here, not a table of floats; the int16 softmax has tables of its own.
  p.cells.push_back({{"sigmoid", "tanh"}, {"!x:int16"}, "unsupported", {}, {}});
  p.cells.push_back({{"softmax"}, {"x:int16"}, "unsupported", {}, {}});
  return p;
}

}  // namespace lastbit::profiles
