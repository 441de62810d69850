// xnnpack: XNNPACK, alone or as the default delegate of LiteRT.
//
// Requantization in float32, one multiplication, nearest even. What XNNPACK does not take runs on LiteRT's own kernels: such
// layers carry their own profile.
#include "lib/cells/cells.hpp"

namespace lastbit::profiles {

Profile xnnpack() {
  Profile p{
      .name = "xnnpack",
      .title = "XNNPACK: the default delegate of TFLite and LiteRT",
      .sources = {"XNNPACK 75db3c09", "LiteRT 2.3.0"},
      .evidence = "measured: LiteRT 2.3.0 with its default delegate on AVX-512 VNNI, inputs aimed at ties; ARM (emulated) for convolutions and fully connected layers",
      .for_producer = {"framework:litert", "engine:xnnpack"},
      .replaces = "",
      .replaces_when = {},
      .isas = {"avx512_vnni", "neon_dotprod"},
      .cells = {}};
  cells::append(p.cells, cells::xnnpack_accumulate());
  cells::append(p.cells, cells::xnnpack_windows());
  cells::append(p.cells, cells::xnnpack_elementwise());
  cells::append(p.cells, cells::xnnpack_quantize());
  return p;
}

}  // namespace lastbit::profiles
