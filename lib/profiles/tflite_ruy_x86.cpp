// tflite-ruy-x86: LiteRT's optimized kernels without delegates on x86.
//
// ruy's AVX kernels round twice, both times half up; its portable kernels, below AVX, once. What ruy does not take is the
// reference kernels'.
#include "lib/cells/cells.hpp"

namespace lastbit::profiles {

Profile tflite_ruy_x86() {
  Profile p{
      .name = "tflite-ruy-x86",
      .title = "TFLite and LiteRT, optimized kernels on x86 (ruy)",
      .sources = {"LiteRT 2.3.0", "ruy/kernel_avx2_fma.cc, kernel_avx512.cc, apply_multiplier.cc"},
      .evidence = "measured: LiteRT 2.3.0 (BUILTIN_WITHOUT_DEFAULT_DELEGATES) on AVX-512 VNNI, AVX2, AVX and SSE4.1 (emulated), inputs aimed at ties",
      .for_producer = {"framework:litert", "engine:builtin", "x86"},
      .replaces = "",
      .replaces_when = {},
      .isas = {"avx512_vnni"},
      .cells = {}};
  cells::append(p.cells, cells::tflite_reference_accumulate("double_away"));
  cells::append(p.cells, cells::tflite_ruy_accumulate("double_up"));
  cells::append(p.cells, cells::tflite_ruy_portable_accumulate());
  cells::append(p.cells, cells::tflite_windows("double_away"));
  cells::append(p.cells, cells::tflite_builtin_windows());
  cells::append(p.cells, cells::tflite_elementwise("double_away"));
  cells::append(p.cells, cells::tflite_builtin_elementwise());
  cells::append(p.cells, cells::tflite_optimized_quantize());
  return p;
}

}  // namespace lastbit::profiles
