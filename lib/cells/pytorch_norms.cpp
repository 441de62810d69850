// pytorch_norms.cpp: ATen's normalizations. AVX2 code is compiled with FMA and fuses every multiplication with the addition
// after it; ATEN_CPU_CAPABILITY=default (or a CPU without AVX2) fuses none, and its vector quantize is FBGEMM's, so in 2.13.0
// the body has the zero point inside the rounding as the tail does.
#include "lib/cells/cells.hpp"

namespace lastbit::cells {

std::vector<Cell> pytorch_norms() {
  const auto with = [](const char* fused, const char* body, const char* tail) { return std::map<std::string, std::string>{{"fused", fused}, {"body", body}, {"tail", tail}}; };
  std::vector<Cell> c{
      {{"batch_norm"}, {}, "fused", {}, {}},
      {{"batch_norm"}, {"no_avx2"}, "separate", {}, {}},
      {{"batch_norm"}, {"no_avx2", "version<2.0"}, "separate", {}, {{"body", "outside"}}},
      {{"batch_norm"}, {"arm", "version==2.13.0"}, "fused", {}, {{"vector", "16"}}},
  };
  const auto add = [&](const std::vector<std::string>& ops, std::vector<std::string> when, const char* rule) {
    const auto put = [&](const char* condition, const std::map<std::string, std::string>& parameters) {
      auto all = when;
      if (*condition) all.push_back(condition);
      c.push_back({ops, all, rule, {}, parameters});
    };
    put("", with("yes", "outside", "outside"));
    put("version==2.13.0", with("yes", "outside", "inside"));
    put("no_avx2", with("no", "outside", "outside"));
    when.push_back("no_avx2");
    put("version==2.13.0", with("no", "inside_fused", "inside"));
  };
  add({"layer_norm"}, {}, "rows");
  add({"group_norm", "instance_norm"}, {}, "planes");
  add({"group_norm", "instance_norm"}, {"image_channels_last"}, "channels_last");
  add({"group_norm", "instance_norm"}, {"image_channels_last", "version<2.0"}, "planes");  // they were made contiguous first
  return fused_on_arm(c);
}

}  // namespace lastbit::cells
