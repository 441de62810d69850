// gemmlowp: OutputStageScaleInt32ByFixedPointAndExponent behind 8-bit products.
//
// The bias is an int32 at scale si * sw. A left shift saturates before the doubling high multiply (TFLite's wraps).
#include "lib/cells/cells.hpp"

namespace lastbit::profiles {

Profile gemmlowp() {
  const std::vector<std::string> layers{"linear", "conv", "conv_transpose"};
  const std::map<std::string, std::string> exact{{"accumulator", "int32"}, {"pairs", "none"}, {"bound", "half_away"}};
  Profile p{
      .name = "gemmlowp",
      .title = "gemmlowp: 8-bit matrix products, two roundings",
      .sources = {"gemmlowp 16e8662c",
                  "internal/output.h: OutputStageEvalBufferImpl<OutputStageScaleInt32ByFixedPointAndExponent>",
                  "fixedpoint/fixedpoint.h: SaturatingRoundingDoublingHighMul, RoundingDivideByPOT"},
      .evidence = "formula only: the primitives were compiled and compared, no product was run",
      .for_producer = {},
      .replaces = "",
      .replaces_when = {},
      .isas = {},
      .cells = {
          {layers, {}, "accumulate", {"bias bias", "fixed double_away_saturating si * sw / so", "zero_point", "clamp"}, exact},
          {layers, {"bias:float32"}, "accumulate", {"bias bias / (si * sw)", "fixed double_away_saturating si * sw / so", "zero_point", "clamp"}, exact},
          {{"requantize"}, {}, "stages", {"fixed double_away_saturating si / so", "zero_point", "clamp"}, {}},
      }};
  return p;
}

}  // namespace lastbit::profiles
