// tosa_inexact: TOSA with INEXACT_ROUND. The result is any integer in [ceil(ref - eb + zp), floor(ref + eb + zp)], where ref is
// (acc * m * 2^-s) in float64 and eb = 0.5 + (3 |ref| + |ref + zp|) * 2^-24.
#include "lib/cells/cells.hpp"

namespace lastbit::profiles {

Profile tosa_inexact() {
  Profile p{
      .name = "tosa-inexact",
      .title = "TOSA, RESCALE with INEXACT_ROUND (EXT-INEXACTROUND): an interval",
      .sources = {"TOSA specification 1.1-dev, cd5acdd0",
                  "chapters/introduction: RESCALE, INEXACT_ROUND"},
      .evidence = "formula only: the bound of the specification",
      .for_producer = {},
      .replaces = "",
      .replaces_when = {},
      .isas = {},
      .cells = {}};
  cells::append(p.cells, cells::tosa_accumulate("single", "tosa_inexact"));
  return p;
}

}  // namespace lastbit::profiles
