// stages.cpp: see stages.hpp.
#include "verifier/stages.hpp"

namespace lastbit {

std::vector<std::string> scaled_stages(const Case& c, const std::string& type, const std::string& multiplier, const std::string& rounding) {
  const bool single = type == "float";
  std::vector<std::string> s;
  if (!c.has_float_bias()) s.push_back("bias bias");
  s.push_back(type);
  if (c.has_float_bias()) s.push_back(single ? "add f32(bias) / (f32(si) * f32(sw))" : "add bias / (si * sw)");
  s.push_back("multiply " + multiplier);
  s.insert(s.end(), {"round " + rounding + " exact", "zero_point", "clamp"});
  return s;
}

std::vector<std::string> fixed_stages(const Case& c, const std::string& rule, const std::string& multiplier) {
  return {c.has_float_bias() ? "bias bias / (si * sw)" : "bias bias", "fixed " + rule + " " + multiplier, "zero_point", "clamp"};
}

bool sums_in_stages(const Case& c) { return c.cell.rule == "per_step" || (c.cell.rule == "per_token" && c.layer.in("weight").q.group_size == 0); }

bool staged(const Case& c) { return c.accumulates() || (!c.cell.stages.empty() && ((c.cell.rule == "stages" && c.port == "y") || sums_in_stages(c))); }

Stages zero_point_inside(const Stages& before) {
  const int round = find_stage(before, "round"), zero = find_stage(before, "zero_point");
  if (round < 0 || zero <= round) return before;
  Stages s = before;
  s.erase(s.begin() + zero);
  s.insert(s.begin() + round, "zero_point");
  return s;
}

Stages zero_point_outside(const Stages& before) {
  const int round = find_stage(before, "round"), zero = find_stage(before, "zero_point");
  if (zero < 0 || round <= zero) return before;
  Stages s = edited(before, [](const std::string& stage) { return stage == "clamp" || stage == "zero_point" ? std::string() : stage; });
  s.insert(s.begin() + find_stage(s, "round") + 1, "zero_point");
  s.push_back("clamp");
  return s;
}

namespace {

Suspect by_stages(const Case& c, std::string name, std::string sentence, Change change, int rank) {
  if (c.accumulates()) return suspect(c, std::move(name), std::move(sentence), std::move(change), rank);
  Cell other = c.cell;
  if (change.stages) other.stages = *change.stages;
  if (change.edit) other.stages = change.edit(other.stages);
  other.with.erase("int16_vector");  // vectors that add the zero point themselves; these stages do
  Suspect s{std::move(name), std::move(sentence), rank, c.runs(own_layer(c), other), true, {}};
  s.arithmetic = [&c, other](const Layer& layer, const std::vector<std::int64_t>& e) { return c.rerun(layer, other, e); };
  return s;
}

}  // namespace

Suspect staged_suspect(const Case& c, std::string name, std::string sentence, Stages stages, int rank) { return by_stages(c, std::move(name), std::move(sentence), {.stages = std::move(stages)}, rank); }
Suspect staged_suspect(const Case& c, std::string name, std::string sentence, std::function<Stages(const Stages&)> edit, int rank) {
  return by_stages(c, std::move(name), std::move(sentence), {.edit = std::move(edit)}, rank);
}

}  // namespace lastbit
