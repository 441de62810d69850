// tflite-ruy-arm: LiteRT's optimized kernels without delegates on ARM.
//
// ruy's NEON kernels round once, half up (sqdmulh by one bit less, then srshl); what ruy does not take is the reference
// kernels' or NEON code that rounds twice.
#include "lib/cells/cells.hpp"

namespace lastbit::profiles {

Profile tflite_ruy_arm() {
  Profile p{
      .name = "tflite-ruy-arm",
      .title = "TFLite and LiteRT, optimized kernels on ARM (ruy)",
      .sources = {"LiteRT 2.3.0", "ruy/kernel_arm64.cc: sqdmulh, srshl"},
      .evidence = "measured: LiteRT 2.3.0 (BUILTIN_WITHOUT_DEFAULT_DELEGATES) on neoverse-n1 (emulated), inputs aimed at ties",
      .for_producer = {"framework:litert", "engine:builtin", "arm"},
      .replaces = "",
      .replaces_when = {},
      .isas = {"neon_dotprod"},
      .cells = {}};
  cells::append(p.cells, cells::tflite_reference_accumulate("double_away"));
  cells::append(p.cells, cells::tflite_ruy_accumulate("single"));
  cells::append(p.cells, cells::tflite_windows("double_away"));
  cells::append(p.cells, cells::tflite_builtin_windows());
  cells::append(p.cells, cells::tflite_elementwise("double_away"));
  cells::append(p.cells, cells::tflite_builtin_elementwise());
  cells::append(p.cells, cells::tflite_optimized_quantize());
  return p;
}

}  // namespace lastbit::profiles
