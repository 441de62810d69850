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

bool staged(const Case& c) { return c.accumulates() || (c.cell.rule == "stages" && c.port == "y" && !c.cell.stages.empty()); }

Suspect staged_suspect(const Case& c, std::string name, std::string sentence, std::vector<std::string> stages, int rank) {
  if (c.accumulates()) return suspect(c, std::move(name), std::move(sentence), {.stages = std::move(stages)}, rank);
  Cell other = c.cell;
  other.stages = std::move(stages);
  other.with.erase("int16_vector");  // vectors that add the zero point themselves; these stages do
  return {std::move(name), std::move(sentence), rank, [&c, other](const std::vector<std::int64_t>& e) { return c.rerun(c.layer, other, e); }, true};
}

}  // namespace lastbit
