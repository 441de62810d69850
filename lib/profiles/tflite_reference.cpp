// tflite-reference: LiteRT's reference kernels (OpResolverType.BUILTIN_REF).
//
// A 31-bit multiplier and two roundings: half up at 2^-31, then half away from zero at the shift.
#include "lib/cells/cells.hpp"

namespace lastbit::profiles {

Profile tflite_reference() {
  Profile p{
      .name = "tflite-reference",
      .title = "TFLite and LiteRT, reference kernels (BUILTIN_REF)",
      .sources = {"LiteRT 2.3.0", "tflite/kernels/internal/common.cc: MultiplyByQuantizedMultiplier"},
      .evidence = "measured: LiteRT 2.3.0 (BUILTIN_REF) on x86, inputs aimed at ties",
      .for_producer = {"framework:litert", "engine:ref"},
      .replaces = "",
      .replaces_when = {},
      .isas = {"avx512_vnni"},
      .cells = {}};
  cells::append(p.cells, cells::tflite_reference_accumulate("double_away"));
  cells::append(p.cells, cells::tflite_windows("double_away"));
  cells::append(p.cells, cells::tflite_elementwise("double_away"));
  cells::append(p.cells, cells::tflite_reference_quantize());
  return p;
}

}  // namespace lastbit::profiles
