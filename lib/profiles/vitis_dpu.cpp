// vitis_dpu: AMD's DPU. Every scale is a power of two, so the multiplier is a shift: (acc + 2^(s-1)) >> s, half up.
//
// The bias has a position of its own and is shifted to the accumulator's; how a bit shifted out there is rounded is not
// published (here: nearest even).
#include "lib/cells/cells.hpp"

namespace lastbit::profiles {

Profile vitis_dpu() {
  const std::vector<std::string> layers{"linear", "conv", "conv_transpose"};
  const std::map<std::string, std::string> exact{{"accumulator", "int32"}, {"pairs", "none"}, {"bound", "half_up"}};
  Profile p{
      .name = "vitis-dpu",
      .title = "Vitis AI DPU: powers of two, half up",
      .sources = {"Vitis-AI b2b22792 (3.5)",
                  "src/vai_quantizer: Quant_Config.md, round methods; nndct_fix_kernels: DPU_ROUND"},
      .evidence = "formula only: read in the quantizer's emulation; the hardware's bias shift is not published, nothing was run",
      .for_producer = {},
      .replaces = "",
      .replaces_when = {},
      .isas = {},
      .cells = {
          {layers, {}, "accumulate", {"bias bias * sb / (si * sw)", "double", "multiply si * sw / so", "round half_up exact", "zero_point", "clamp"}, exact},
          {{"requantize"}, {}, "stages", {"double", "multiply si / so", "round half_up exact", "zero_point", "clamp"}, {}},
      }};
  return p;
}

}  // namespace lastbit::profiles
