// round: the rounding that brings the scaled accumulator to an integer is another one.
#include <algorithm>

#include "lib/num/round.hpp"
#include "verifier/cause.hpp"
#include "verifier/real_forms.hpp"
#include "verifier/stages.hpp"

namespace lastbit::causes {
namespace {

std::string dashed(std::string_view name) {
  std::string s(name);
  std::replace(s.begin(), s.end(), '_', '-');
  return s;
}

/// The real values of a layer that does not accumulate, rounded once: by every mode, the zero point after it; and inside it.
std::vector<Suspect> of_real_values(const Case& c) {
  std::vector<Suspect> all;
  if (!has_real_forms(c)) return all;
  const auto add = [&](const std::string& name, const std::string& sentence, const RealRounding& how) {
    Suspect s{name, sentence, 13, [&c, how](const std::vector<std::int64_t>& elements) { return rounded_real_values(c, c.layer, c.layer, how, elements); }, true};
    s.arithmetic = [&c, how](const Layer& layer, const std::vector<std::int64_t>& elements) { return rounded_real_values(c, layer, layer, how, elements); };
    s.few_are_cheap = true;
    all.push_back(std::move(s));
  };
  for (const auto& form : real_forms) {
    const std::string value = "The value, computed in " + std::string(form.words);
    for (std::size_t m = 0; m < rounding_names.size(); ++m) {
      const auto mode = static_cast<Rounding>(m);
      const std::string name = dashed(rounding_names[m]), outside = value + ", is rounded " + name + ", the zero point added after it.", inside = value + " with the zero point added, is rounded " + name + ".";
      add("round:" + name, outside, {&form, mode, false});
      add("round:" + name, inside, {&form, mode, true});
      if (mode == Rounding::half_even || mode == Rounding::half_away) add("zero-point:before-rounding", inside, {&form, mode, true}), add("zero-point:after-rounding", outside, {&form, mode, false});
    }
  }
  return all;
}

/// What a quantize rule comes to: where the zero point is, what it multiplies or divides by, how it rounds.
struct QuantizeForm {
  std::string form, mode;
};
QuantizeForm form_of(const std::string& rule) {
  if (rule.rfind("inside", 0) == 0) return {rule == "inside_fused" || rule == "inside_nan_zero" ? "inside_fused" : "inside", "half_even"};
  if (rule.rfind("divide_away", 0) == 0) return {"divide", "half_away"};
  if (rule.rfind("divide", 0) == 0) return {"divide", "half_even"};
  return {"outside", rule == "inverse_away" || rule == "multiply_away" ? "half_away" : "half_even"};
}
bool adds_inside(const std::string& form) { return form.find("inside") != std::string::npos; }

/// Cells that name quantize rules (quantize and its kin, ATen's kernels, norms and pools): the whole tensor by another, with the
/// values before it as the profile computes them.
void add_quantize_rules(const Case& c, std::vector<Suspect>& all) {
  const bool aten = c.cell.rule.rfind("aten", 0) == 0;
  const std::string key = c.cell.with.count("rounding") ? "rounding" : "tail";
  if (!aten && !c.cell.with.count(key)) return;
  const QuantizeForm own = form_of(c.cell.get(key, "outside"));
  const auto add = [&](const std::string& name, const std::string& form, std::string_view mode, int rank) {
    Cell other = c.cell;
    const std::string rule = form + "/" + std::string(mode);
    if (aten) other.with["all"] = rule;
    for (const char* k : {"rounding", "tail", "edges", "body"})
      if (other.with.count(k)) other.with[k] = rule;
    const auto by = [&](std::string sentence, const Cell& cell, int how_simple) {
      Suspect s{name, std::move(sentence), how_simple, c.runs(own_layer(c), cell), true, {}};
      s.arithmetic = [&c, cell](const Layer& layer, const std::vector<std::int64_t>& e) { return c.rerun(layer, cell, e); };
      all.push_back(std::move(s));
    };
    if (aten && c.cell.get("vector", "0") != "0") {  // all by the scalar loop, whose functions may be others
      Cell scalar = other;
      scalar.with["vector"] = "0";
      by("The value, computed as in the scalar loop, is rounded " + dashed(mode) + ", the zero point added " + (adds_inside(form) ? "before it." : "after it."), scalar, rank + 1);
    }
    by("The value is rounded " + dashed(mode) + ", the zero point added " + (adds_inside(form) ? "before it" : "after it") + (form.find("divide") == 0 ? ", divided by the scale" : ", multiplied by the scale's reciprocal") + ".", other, rank);
  };
  for (const char* form : {"outside", "inside_fused", "inside", "divide", "divide_inside"})
    for (const auto mode : rounding_names) {
      const bool as_own = own.form == form, moved = adds_inside(own.form) != adds_inside(form);
      if (mode != own.mode) add("round:" + dashed(mode), form, mode, as_own ? 10 : 12);
      else if (moved) add(adds_inside(form) ? "zero-point:before-rounding" : "zero-point:after-rounding", form, mode, 11);
      else if (!as_own) add(std::string(form).rfind("divide", 0) == 0 ? "multiplier:divide" : "multiplier:reciprocal", form, mode, 11);
    }
}

std::vector<Suspect> suspects(const Case& c) {
  std::vector<Suspect> all;
  if (!c.accumulates()) {
    add_quantize_rules(c, all);
    for (auto& s : of_real_values(c)) all.push_back(std::move(s));
    if (!staged(c)) return all;
  }
  const int at = find_stage(c.cell.stages, "round"), fixed = find_stage(c.cell.stages, "fixed");
  for (const auto mode : rounding_names) {
    const std::string name = "round:" + dashed(mode);
    if (at >= 0) {
      const auto change = [mode](const std::string& stage) {
        const auto rest = stage.find(' ', 6);
        return "round " + std::string(mode) + (rest == std::string::npos ? "" : stage.substr(rest));
      };
      const auto edit = [change](const Stages& before) { return edited(before, [&](const std::string& s) { return s.rfind("round ", 0) == 0 ? change(s) : s; }); };
      if (edit(c.cell.stages) != c.cell.stages) all.push_back(staged_suspect(c, name, "The scaled accumulator is rounded " + dashed(mode) + " instead of by the profile's rule.", edit));
      const auto inside = [edit](const Stages& before) { return zero_point_inside(edit(before)); };
      if (inside(c.cell.stages) != edit(c.cell.stages)) all.push_back(staged_suspect(c, name, "The scaled accumulator, the zero point added, is rounded " + dashed(mode) + ".", inside, 12));
      else all.push_back(staged_suspect(c, name, "The scaled accumulator is rounded " + dashed(mode) + ", the zero point added after it.", [edit](const Stages& before) { return zero_point_outside(edit(before)); }, 12));
      continue;
    }
    // Fixed point rounds inside its product. Once instead: the real multiplier's product, the integer multiplier's, or the profile's
    // high multiply with another rounding of the shift.
    const std::string once = "The scaled accumulator is rounded once, " + dashed(mode);
    const Stages in_double = scaled_stages(c, "double", "si * sw / so", std::string(mode));
    all.push_back(staged_suspect(c, name, once + ".", in_double));
    all.push_back(staged_suspect(c, name, once + ", the zero point added before it.", zero_point_inside(in_double), 12));
    if (fixed < 0) continue;
    const std::string& stage = c.cell.stages[static_cast<std::size_t>(fixed)];
    const std::string multiplier = stage.substr(std::min(stage.size(), stage.find(' ', 6) + 1));
    const auto as = [&](const Stages& instead) {
      Stages s = c.cell.stages;
      s.erase(s.begin() + fixed);
      s.insert(s.begin() + fixed, instead.begin(), instead.end());
      return s;
    };
    const std::string last = "round " + std::string(mode) + " exact";
    all.push_back(staged_suspect(c, name, once + ", with the profile's multiplier in float64.", as({"double", "multiply " + multiplier, last})));
    all.push_back(staged_suspect(c, name, once + ", with the profile's multiplier of 31 bits.", as({"double", "multiply q31(" + multiplier + ")", last})));
    all.push_back(staged_suspect(c, name, "The shift after the doubling high multiply rounds " + dashed(mode) + ".",
                                 as({"fixed double_up (" + multiplier + ") / power(" + multiplier + ")", "double", "multiply power(" + multiplier + ")", last})));
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
