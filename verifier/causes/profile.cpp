// profile: the whole layer follows another runtime, version or instruction set.
#include "verifier/cause.hpp"
#include "verifier/evaluate.hpp"
#include "verifier/sum_stage.hpp"

namespace lastbit::causes {
namespace {

std::vector<Suspect> suspects(const Case& c) {
  std::vector<Suspect> all;
  for (auto& rival : rivals(c.layer, c.op)) {
    if (rival.cell.rule == c.cell.rule && with_sum(c.layer, rival.cell).stages == c.cell.stages && rival.cell.with == c.cell.with) continue;
    const std::string sentence = "Computed as " + rival.label + " computes it: " + rival.profile->title + ".";
    if (c.is_plain() && rival.cell.rule == "accumulate" && rival.cell.get("accumulator", "int32") == c.cell.get("accumulator", "int32")) {
      Change change{.stages = rival.cell.stages};
      const auto same = [&](const char* key) { return rival.cell.get(key, "none") == c.cell.get(key, "none"); };
      if (!same("pairs") || !same("pair_order") || !same("kernels") || !same("pair_outside") || !same("pair_offset") || !same("bound")) change.cell = rival.cell;
      all.push_back(suspect(c, "profile:" + rival.label, sentence, change, 50));
    } else {
      all.push_back({"profile:" + rival.label, sentence, 50, [&c, as = rival.layer, chosen = rival.cell](const std::vector<std::int64_t>& e) { return c.rerun(as, chosen, e); }, true, {}, true});
    }
  }
  return all;
}

}  // namespace

Cause profile() { return {"profile", "another runtime, version or instruction set", {"profile:<name>"}, suspects}; }

}  // namespace lastbit::causes
