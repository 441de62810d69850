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

/// The real values of a layer that does not accumulate, rounded once: by every mode, the zero point after it; and inside it.
/// `form`: what brings them to stored units.
std::vector<Suspect> of_real_values(const Case& c) {
  std::vector<Suspect> all;
  const auto& q = c.observed.q;
  if (!c.op.real || c.port != "y" || is_float(c.observed.dtype) || !q.quantized() || q.float_zero_point) return all;
  const auto kept = std::make_shared<std::optional<Real>>();
  const auto real = [&c, kept]() -> const Real& {
    if (!*kept) {
      Result result;
      result.outputs["y"] = c.expected;
      *kept = c.op.real(c.layer, result);
    }
    return **kept;
  };
  struct Form {
    const char* words;
    bool single;  // the zero point, too, is added in float32
    double (*scaled)(const Real&, std::size_t, double so);
  };
  constexpr Form forms[] = {
      {"float32, divided by the scale", true, [](const Real& r, std::size_t i, double so) { return static_cast<double>(r.f32[i] / static_cast<float>(so)); }},
      {"float32, multiplied by the scale's reciprocal", true, [](const Real& r, std::size_t i, double so) { return static_cast<double>(r.f32[i] * (1.0f / static_cast<float>(so))); }},
      {"float64", false, [](const Real& r, std::size_t i, double so) { return r.f64[i] / so; }},
  };
  const Range range = activated_range(c.layer, c.observed);
  const auto add = [&](const std::string& name, const std::string& sentence, const Form& form, Rounding mode, bool inside) {
    all.push_back({name, sentence, 13, [&c, real, form, mode, inside, range](const std::vector<std::int64_t>& elements) {
                     const Real& r = real();
                     Values v;
                     if (static_cast<std::int64_t>(r.f32.size()) != c.size() || static_cast<std::int64_t>(r.f64.size()) != c.size()) return v;
                     const auto one = [&](std::int64_t i) {
                       const double zo = c.observed.zero_point_at(i), scaled = form.scaled(r, static_cast<std::size_t>(i), c.observed.scale_at(i));
                       if (scaled != scaled) return c.expected_value(i);
                       const double sum = form.single ? static_cast<double>(static_cast<float>(scaled) + static_cast<float>(zo)) : scaled + zo;
                       const double moved = std::clamp(inside ? sum : scaled, -0x1p60, 0x1p60);
                       const auto whole = to_integer(moved, mode).value + (inside ? 0 : static_cast<std::int64_t>(zo));
                       return static_cast<double>(std::clamp(whole, range.min, range.max));
                     };
                     if (elements.empty()) for (std::int64_t i = 0; i < c.size(); ++i) v.push_back(one(i));
                     for (const auto i : elements) v.push_back(one(i));
                     return v;
                   }, true});
  };
  for (const auto& form : forms) {
    const std::string value = "The value, computed in " + std::string(form.words);
    for (std::size_t m = 0; m < rounding_names.size(); ++m) {
      const auto mode = static_cast<Rounding>(m);
      const std::string name = dashed(rounding_names[m]), outside = value + ", is rounded " + name + ", the zero point added after it.", inside = value + " with the zero point added, is rounded " + name + ".";
      add("round:" + name, outside, form, mode, false);
      add("round:" + name, inside, form, mode, true);
      if (mode == Rounding::half_even || mode == Rounding::half_away) add("zero-point:before-rounding", inside, form, mode, true), add("zero-point:after-rounding", outside, form, mode, false);
    }
  }
  return all;
}

/// Cells that name a quantize rule (quantize and its kin, and ATen's kernels, whose tail has one): another of the rules.
void add_quantize_rules(const Case& c, const std::string& key, std::vector<Suspect>& all) {
  if (!c.cell.with.count(key)) return;
  struct Rule {
    const char *rule, *name;
  };
  for (const auto& [rule, name] : {Rule{"inside_fused", "zero-point:before-rounding"}, Rule{"inside", "zero-point:before-rounding"}, Rule{"outside", "zero-point:after-rounding"},
                                   Rule{"divide_even", "multiplier:divide"}, Rule{"divide_away", "round:half-away"}, Rule{"inverse_away", "round:half-away"}}) {
    Cell other = c.cell;
    other.with[key] = rule;
    if (other.with.count("vector")) other.with["vector"] = "0";  // all by the one rule
    if (other.with == c.cell.with) continue;
    all.push_back({name, "The value is quantized by the rule \"" + std::string(rule) + "\" instead of \"" + c.cell.get(key) + "\".", 10,
                   [&c, other](const std::vector<std::int64_t>& e) { return c.rerun(c.layer, other, e); }, true});
  }
}

std::vector<Suspect> suspects(const Case& c) {
  std::vector<Suspect> all;
  if (!c.accumulates()) {
    add_quantize_rules(c, "rounding", all);
    if (c.cell.rule.rfind("aten", 0) == 0) add_quantize_rules(c, "tail", all);
    for (auto& s : of_real_values(c)) all.push_back(std::move(s));
    if (!staged(c)) return all;
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
      all.push_back(staged_suspect(c, "round:" + dashed(mode), "The scaled accumulator is rounded " + dashed(mode) + " instead of by the profile's rule.", stages));
    } else {
      all.push_back(staged_suspect(c, "round:" + dashed(mode), "The scaled accumulator is rounded once, " + dashed(mode) + ".", scaled_stages(c, "double", "si * sw / so", std::string(mode))));
    }
  }
  if (find_stage(c.cell.stages, "fixed double_away") < 0)
    all.push_back(staged_suspect(c, "round:double", "The arithmetic is gemmlowp's: an int32 bias at si*sw, a Q31 multiplier, a doubling high multiply and a rounding shift, so two roundings.",
                          fixed_stages(c, "double_away", "si * sw / so"), 11));
  return all;
}

}  // namespace

Cause round() {
  std::vector<std::string> names{"round:double"};
  for (const auto mode : rounding_names) names.push_back("round:" + dashed(mode));
  return {"round", "another rounding of the scaled accumulator", names, suspects};
}

}  // namespace lastbit::causes
