// evidence.cpp: see evidence.hpp.
#include "verifier/evidence.hpp"

#include <algorithm>

#include "lib/error.hpp"
#include "verifier/cause.hpp"
#include "verifier/sum_stage.hpp"

namespace lastbit {
namespace {

constexpr std::int64_t chunk = 8192;  // elements looked at before a rival is computed further

/// Whether a rival gives the observed value everywhere; stops at the first that it does not.
bool identical(const Case& c, const RivalCell& rival) {
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
  if (c.is_plain() && rival.cell.rule == "accumulate" && rival.cell.get("bounds").empty() && same("accumulator") && same("pairs") && same("pair_order") && same("pair_offset") && same("pair_beyond") && same("kernels") && same("bound")) {
    for (std::int64_t from = 0; from < c.size(); from += chunk) {
      std::vector<std::int64_t> elements;
      for (std::int64_t i = from; i < std::min(c.size(), from + chunk); ++i) elements.push_back(i);
      if (!right(c.changed({.stages = rival.cell.stages}, elements), from)) return false;
    }
    return true;
  }
  const Values all = c.rerun(as_rival(c.layer, c.op, rival), rival.cell, {});
  return static_cast<std::int64_t>(all.size()) == c.size() && right(all, 0);
}

/// Element by element operators: whether the first elements alone rule the rival out. What a kernel does at the end of an array does
/// not matter there: no vector is as long as the elements left out of the comparison.
bool head_differs(const Case& c, const RivalCell& rival) {
  constexpr std::int64_t taken = 8192, left_out = 1024;
  if ((c.op.name != "add" && c.op.name != "sub" && c.op.name != "mul") || c.size() < 4 * taken || !c.expected.undefined.empty()) return false;
  Layer head = as_rival(c.layer, c.op, rival);
  for (auto* tensors : {&head.inputs, &head.outputs})
    for (auto& [port, t] : *tensors) {
      if (t.shape != c.observed.shape || t.q.scale.size() > 1 || (!t.memory_layout.empty() && rival.cell.rule.rfind("aten", 0) == 0)) return false;
      t.shape = {taken};
      t.memory_layout.clear();
      t.stored_axes.clear();
    }
  const Result result = c.op.run(head, rival.cell);
  const auto it = result.outputs.find("y");
  if (it == result.outputs.end() || !it->second.undefined.empty() || it->second.q.size() != taken) return false;
  for (std::int64_t i = 0; i < taken - left_out; ++i)
    if (it->second.q[static_cast<std::size_t>(i)] != c.observed.integer(i)) return true;
  return false;
}

bool agrees(const Case& c, const RivalCell& rival) {
  if (rival.cell.rule == c.cell.rule && with_sum(c.layer, rival.cell).stages == c.cell.stages && rival.cell.with == c.cell.with) return true;
  try {
    return !head_differs(c, rival) && identical(c, rival);
  } catch (const Error&) {
    return false;  // the rival cannot compute this layer
  }
}

void enter(const RivalCell& rival, bool same, LayerReport& r) {
  auto& list = same ? r.cannot_rule_out : r.rules_out;
  for (const auto& label : rival.alike)
    if (label != r.profile) list.push_back(label);
  if (rival.label != r.profile) list.push_back(rival.label);
}

void sort(LayerReport& r) {
  std::sort(r.cannot_rule_out.begin(), r.cannot_rule_out.end());
  std::sort(r.rules_out.begin(), r.rules_out.end());
}

}  // namespace

void evidence(const Dump& dump, const LayerEntry& entry, const Evaluated& e, const Operator& op, const Profile& profile, const Cell& cell, const std::vector<RivalCell>& rivals, LayerReport& r) {
  if (!e.compared.count("y")) return;
  const Case c(dump, entry, e.layer, op, profile, cell, e.result.outputs.at("y"), "y", e.compared.at("y"));
  for (const auto& rival : rivals) enter(rival, agrees(c, rival), r);
  sort(r);
}

void evidence(const Dump& dump, const LayerEntry& entry, StoredLayer stored, const Operator& op, const Profile& profile, const Cell& cell, const std::vector<RivalCell>& rivals, const Streamed& streamed, const std::vector<bool>& open, LayerReport& r) {
  std::optional<Evaluated> e;
  std::optional<Case> c;
  for (std::size_t k = 0; k < rivals.size(); ++k) {
    bool same = streamed.alike[k];
    if (open[k]) {
      if (!c) {
        bring_into_order(stored);
        e.emplace(evaluate(std::move(stored.layer), op, cell));
        c.emplace(dump, entry, e->layer, op, profile, cell, e->result.outputs.at("y"), "y", e->compared.at("y"));
      }
      same = agrees(*c, rivals[k]);
    }
    enter(rivals[k], same, r);
  }
  sort(r);
}

}  // namespace lastbit
