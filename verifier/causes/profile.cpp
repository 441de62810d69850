// profile: the whole layer follows another runtime, version or instruction set.
#include <algorithm>

#include "verifier/cause.hpp"

namespace lastbit::causes {
namespace {

std::vector<Suspect> suspects(const Case& c) {
  std::vector<Suspect> all;
  std::vector<Cell> seen{c.cell};
  for (const auto& p : all_profiles()) {
    std::vector<std::string> isas = p.isas;
    if (isas.empty()) isas.push_back("");
    for (const auto& isa : isas) {
      Layer as = c.layer;
      if (!isa.empty()) as.producer.fields["isa"] = isa;
      as.facts = common_facts(as);
      if (c.op.facts) c.op.facts(as, as.facts);
      const Cell* cell = cell_for(p, c.op, as);
      if (!cell || std::find(seen.begin(), seen.end(), *cell) != seen.end()) continue;
      seen.push_back(*cell);
      const std::string label = p.name + (isa.empty() || isa == p.isas[0] ? "" : "@" + isa);
      const std::string sentence = "Computed as " + label + " computes it: " + p.title + ".";
      const bool same_sum = c.accumulates() && cell->rule == "accumulate";
      if (same_sum) {
        Change change{.stages = cell->stages};
        if (cell->get("pairs", "none") != c.cell.get("pairs", "none") || cell->get("pair_order") != c.cell.get("pair_order") || cell->get("kernels") != c.cell.get("kernels")) change.cell = *cell;
        all.push_back(suspect(c, "profile:" + label, sentence, change, 50));
      } else {
        all.push_back({"profile:" + label, sentence, 50, [&c, as, chosen = *cell](const std::vector<std::int64_t>& e) { return c.rerun(as, chosen, e); }, true});
      }
    }
  }
  return all;
}

}  // namespace

Cause profile() { return {"profile", "another runtime, version or instruction set", {"profile:<name>"}, suspects}; }

}  // namespace lastbit::causes
