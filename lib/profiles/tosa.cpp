// tosa: the integer profile of TOSA with SINGLE_ROUND: (v * m + 2^(s-1)) >> s.
#include "lib/cells/cells.hpp"

namespace lastbit::profiles {

Profile tosa() {
  Profile p{
      .name = "tosa",
      .title = "TOSA, RESCALE with SINGLE_ROUND",
      .sources = {"TOSA specification 1.1-dev, cd5acdd0",
                  "pseudocode/library/scale_helpers.tosac: apply_scale_32, apply_scale_16"},
      .evidence = "formula only: apply_scale_32 was compiled and equals one half-up rounding on 59 million values; no implementation was run",
      .for_producer = {},
      .replaces = "",
      .replaces_when = {},
      .isas = {},
      .cells = {}};
  cells::append(p.cells, cells::tosa_accumulate("single", ""));
  return p;
}

}  // namespace lastbit::profiles
