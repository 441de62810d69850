// fma: a product and a sum that the profile rounds apart are fused, or the other way round.
#include "verifier/cause.hpp"
#include "verifier/stages.hpp"

namespace lastbit::causes {
namespace {

std::vector<Suspect> suspects(const Case& c) {
  std::vector<Suspect> all;
  if (!c.accumulates() && !sums_in_stages(c)) return all;
  const auto& stages = c.cell.stages;
  // fma A ; B -> the product rounded, then the sum
  if (find_stage(stages, "fma") >= 0) {
    all.push_back(staged_suspect(c, "fma:none", "The bias is multiplied and added in two rounded steps instead of one fused step.",
                          edited(stages, [](const std::string& s) {
                             const auto cut = s.find(';');
                             return s.rfind("fma ", 0) == 0 ? "add (" + s.substr(4, cut - 4) + ") * (" + s.substr(cut + 1) + ")" : s;
                           })));
    all.push_back(staged_suspect(c, "fma:none", "The bias is divided by the accumulator's scale and added, not multiplied by its reciprocal in a fused step.",
                          edited(stages, [](const std::string& s) { return s.rfind("fma ", 0) == 0 ? std::string("add f32(bias) / (f32(si) * f32(sw))") : s; })));
  }
  // add bias/scale -> fused with the reciprocal
  if (const int at = find_stage(stages, "add"); at >= 0 && stages[static_cast<std::size_t>(at)].find("bias") != std::string::npos) {
    const bool real_units = stages[static_cast<std::size_t>(at)] == "add f32(bias)";
    if (!real_units)
      all.push_back(staged_suspect(c, "fma:bias", "The bias is multiplied by the reciprocal of the accumulator's scale and added in one fused step.",
                            edited(stages, [](const std::string& s) { return s.rfind("add ", 0) == 0 ? std::string("fma f32(bias) ; 1 / (f32(si) * f32(sw))") : s; })));
    else if (at > 0 && stages[static_cast<std::size_t>(at) - 1].rfind("multiply ", 0) == 0) {  // the multiplication before it is fused with the bias
      auto other = stages;
      const auto p = static_cast<std::size_t>(at);
      other[p - 1] = "muladd " + stages[p - 1].substr(9) + " ; f32(bias)";
      other.erase(other.begin() + at);
      all.push_back(staged_suspect(c, "fma:bias", "The last multiplication and the addition of the bias are one fused step.", other));
    }
  }
  // muladd A ; B (the output of a dynamic layer) -> the product rounded, then the sum
  if (find_stage(stages, "muladd") >= 0) {
    Stages apart;
    for (const auto& s : stages)
      if (s.rfind("muladd ", 0) == 0) apart.push_back("multiply " + s.substr(7, s.find(';') - 7)), apart.push_back("add" + s.substr(s.find(';') + 1));
      else apart.push_back(s);
    all.push_back(staged_suspect(c, "fma:none", "The last multiplication and the addition of the bias are two rounded steps instead of one fused step.", apart));
  }
  // multiply ..., zero_point on a float -> fused
  if (const int zero = find_stage(stages, "zero_point"); zero > 0 && stages[static_cast<std::size_t>(zero) - 1].rfind("multiply ", 0) == 0) {
    auto other = stages;
    const auto p = static_cast<std::size_t>(zero);
    other[p - 1] = "muladd " + stages[p - 1].substr(9) + " ; f32(zo)";
    other.erase(other.begin() + zero);
    all.push_back(staged_suspect(c, "fma:zero-point", "The multiplication and the addition of the zero point are one fused step.", other));
  }
  return all;
}

}  // namespace

Cause fma() { return {"fma", "a fused multiply-add that the profile does not have, or lacks", {"fma:none", "fma:bias", "fma:zero-point"}, suspects}; }

}  // namespace lastbit::causes
