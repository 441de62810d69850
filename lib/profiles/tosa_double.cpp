// tosa_double: TOSA with DOUBLE_ROUND, which adds +-2^30 before the shift when it exceeds 31: TFLite's two roundings.
#include "lib/cells/cells.hpp"

namespace lastbit::profiles {

Profile tosa_double() {
  Profile p{
      .name = "tosa-double",
      .title = "TOSA, RESCALE with DOUBLE_ROUND (EXT-DOUBLEROUND)",
      .sources = {"TOSA specification 1.1-dev, cd5acdd0",
                  "pseudocode/library/scale_helpers.tosac: apply_scale_32, apply_scale_16"},
      .evidence = "formula only: apply_scale_32 was compiled and equals TFLite's two roundings on 59 million values; no implementation was run",
      .for_producer = {},
      .replaces = "",
      .replaces_when = {},
      .isas = {},
      .cells = {}};
  cells::append(p.cells, cells::tosa_accumulate("double_away", ""));
  return p;
}

}  // namespace lastbit::profiles
