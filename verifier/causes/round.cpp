// round: the rounding that brings the scaled accumulator to an integer is another one.
#include <algorithm>

#include "lib/num/round.hpp"
#include "verifier/cause.hpp"
#include "verifier/stages.hpp"

namespace lastbit::causes {
namespace {

std::string dashed(std::string_view name) {
  std::string s(name);
  std::replace(s.begin(), s.end(), '_', '-');
  return s;
}

std::vector<Suspect> suspects(const Case& c) {
  std::vector<Suspect> all;
  if (!c.accumulates()) {
    if (c.cell.with.count("rounding"))  // quantize and its kin: another of their rules
      for (const char* rule : {"inside_fused", "inside", "outside", "divide_even", "divide_away"}) {
        if (c.cell.get("rounding") == rule) continue;
        Cell other = c.cell;
        other.with["rounding"] = rule;
        const std::string name = rule == std::string("divide_away") ? "round:half-away" : rule == std::string("divide_even") ? "multiplier:divide" : std::string(rule).rfind("inside", 0) == 0 ? "zero-point:before-rounding" : "zero-point:after-rounding";
        all.push_back({name, "The value is quantized by the rule \"" + std::string(rule) + "\" instead of \"" + c.cell.get("rounding") + "\".", 10,
                       [&c, other](const std::vector<std::int64_t>& e) { return c.rerun(c.layer, other, e); }, true});
      }
    return all;
  }
  const int at = find_stage(c.cell.stages, "round");
  for (const auto mode : rounding_names) {
    if (at >= 0) {
      auto stages = c.cell.stages;
      auto& stage = stages[static_cast<std::size_t>(at)];
      const auto rest = stage.find(' ', 6);
      const std::string changed = "round " + std::string(mode) + (rest == std::string::npos ? "" : stage.substr(rest));
      if (changed == stage) continue;
      stage = changed;
      all.push_back(suspect(c, "round:" + dashed(mode), "The scaled accumulator is rounded " + dashed(mode) + " instead of by the profile's rule.", {.stages = stages}));
    } else {
      all.push_back(suspect(c, "round:" + dashed(mode), "The scaled accumulator is rounded once, " + dashed(mode) + ".", {.stages = scaled_stages(c, "double", "si * sw / so", std::string(mode))}));
    }
  }
  if (find_stage(c.cell.stages, "fixed double_away") < 0)
    all.push_back(suspect(c, "round:double", "The arithmetic is gemmlowp's: an int32 bias at si*sw, a Q31 multiplier, a doubling high multiply and a rounding shift, so two roundings.",
                          {.stages = fixed_stages(c, "double_away", "si * sw / so")}, 11));
  return all;
}

}  // namespace

Cause round() {
  std::vector<std::string> names{"round:double"};
  for (const auto mode : rounding_names) names.push_back("round:" + dashed(mode));
  return {"round", "another rounding of the scaled accumulator", names, suspects};
}

}  // namespace lastbit::causes
