// tflite-single-rounding: the reference kernels of a build with TFLITE_SINGLE_ROUNDING=1: one rounding, half up.
#include "lib/cells/cells.hpp"

namespace lastbit::profiles {

Profile tflite_single_rounding() {
  Profile p{
      .name = "tflite-single-rounding",
      .title = "TFLite built with TFLITE_SINGLE_ROUNDING=1, reference kernels",
      .sources = {"LiteRT 2.3.0", "tflite/kernels/internal/common.cc: MultiplyByQuantizedMultiplier under TFLITE_SINGLE_ROUNDING"},
      .evidence = "formula only: read in the source, no such build was run",
      .for_producer = {},
      .replaces = "",
      .replaces_when = {},
      .isas = {"avx512_vnni"},
      .cells = {}};
  cells::append(p.cells, cells::tflite_reference_accumulate("single"));
  cells::append(p.cells, cells::tflite_windows("single"));
  cells::append(p.cells, cells::tflite_elementwise("single"));
  p.cells.push_back({{"softmax"}, {"!x:int16"}, "unsupported", {}, {}});
  return p;
}

}  // namespace lastbit::profiles
