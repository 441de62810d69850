// evidence.cpp: see evidence.hpp.
#include "verifier/evidence.hpp"

#include <algorithm>

#include "lib/error.hpp"
#include "verifier/cause.hpp"

namespace lastbit {
namespace {

constexpr std::int64_t chunk = 8192;  // elements looked at before a rival is computed further

/// Whether a rival gives the observed value everywhere; stops at the first that it does not.
bool identical(const Case& c, const Rival& rival) {
  const auto open = [&](std::int64_t i) {  // undefined for the profile itself
    return std::any_of(c.expected.undefined.begin(), c.expected.undefined.end(), [i](const Interval& u) { return u.index == i; });
  };
  const auto right = [&](const Values& v, std::int64_t from) {
    for (std::size_t k = 0; k < v.size(); ++k) {
      const std::int64_t i = from + static_cast<std::int64_t>(k);
      if (!same_value(v[k], c.observed_value(i)) && !open(i)) return false;
    }
    return true;
  };
  const auto same = [&](const char* key) { return rival.cell.get(key, "none") == c.cell.get(key, "none"); };
  if (c.accumulates() && &c.base() == &c.layer && rival.cell.rule == "accumulate" && same("accumulator") && same("pairs") && same("pair_order") && same("kernels") && same("bound")) {
    for (std::int64_t from = 0; from < c.size(); from += chunk) {
      std::vector<std::int64_t> elements;
      for (std::int64_t i = from; i < std::min(c.size(), from + chunk); ++i) elements.push_back(i);
      if (!right(c.changed({.stages = rival.cell.stages}, elements), from)) return false;
    }
    return true;
  }
  const Values all = c.rerun(rival.layer, rival.cell, {});
  return static_cast<std::int64_t>(all.size()) == c.size() && right(all, 0);
}

}  // namespace

void evidence(const Dump& dump, const LayerEntry& entry, const Evaluated& e, const Operator& op, const Profile& profile, const Cell& cell, LayerReport& r) {
  if (!e.compared.count("y")) return;
  const Case c(dump, entry, e.layer, op, profile, cell, e.result.outputs.at("y"), "y", e.compared.at("y"));
  for (const auto& rival : rivals(e.layer, op)) {
    bool same = rival.cell.rule == cell.rule && rival.cell.stages == cell.stages && rival.cell.with == cell.with;
    if (!same) try {
      same = identical(c, rival);
    } catch (const Error&) {
      same = false;  // the rival cannot compute this layer
    }
    auto& list = same ? r.cannot_rule_out : r.rules_out;
    list.push_back(rival.label);
    list.insert(list.end(), rival.alike.begin(), rival.alike.end());
  }
  const auto own = [&](const std::string& label) { return label == r.profile; };
  r.cannot_rule_out.erase(std::remove_if(r.cannot_rule_out.begin(), r.cannot_rule_out.end(), own), r.cannot_rule_out.end());
  r.rules_out.erase(std::remove_if(r.rules_out.begin(), r.rules_out.end(), own), r.rules_out.end());
  std::sort(r.cannot_rule_out.begin(), r.cannot_rule_out.end());
  std::sort(r.rules_out.begin(), r.rules_out.end());
}

}  // namespace lastbit
