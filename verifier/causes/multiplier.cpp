// multiplier: the output multiplier si*sw/so is held in another type, or its products are associated in another order.
#include <algorithm>
#include <cmath>
#include <utility>

#include "verifier/cause.hpp"
#include "verifier/float_sums.hpp"
#include "verifier/stages.hpp"

namespace lastbit::causes {
namespace {

struct Association {
  const char *name, *expression, *words;
};
// Every order in which runtimes are known to form si*sw/so in float32; float64 products narrowed once stand last.
constexpr Association associations[] = {
    {"multiplier:(si*sw)/so", "f32(si) * f32(sw) / f32(so)", "(si*sw)/so in float32"},
    {"multiplier:si*(sw/so)", "f32(si) * (f32(sw) / f32(so))", "si*(sw/so) in float32"},
    {"multiplier:(si/so)*sw", "f32(si) / f32(so) * f32(sw)", "(si/so)*sw in float32"},
    {"multiplier:(si*sw)*(1/so)", "f32(si) * f32(sw) * (1 / f32(so))", "(si*sw)*(1/so) in float32"},
    {"multiplier:si*(sw*(1/so))", "f32(si) * (f32(sw) * (1 / f32(so)))", "si*(sw*(1/so)) in float32"},
    {"multiplier:(si*(1/so))*sw", "f32(si) * (1 / f32(so)) * f32(sw)", "(si*(1/so))*sw in float32"},
    {"multiplier:(1/so)/((1/si)*(1/sw))", "(1 / f32(so)) / ((1 / f32(si)) * (1 / f32(sw)))", "(1/so)/((1/si)*(1/sw)) in float32"},
    {"multiplier:f32", "f32(si * sw / so)", "si*sw/so in float64, narrowed to float32"},
};

/// Outputs in real units: si*sw at once, or one after the other; in float64.
std::vector<Suspect> of_floats(const Case& c) {
  std::vector<Suspect> all;
  const auto& stages = c.cell.stages;
  const auto scales = [](const std::string& s) { return (s.rfind("multiply ", 0) == 0 || s.rfind("muladd ", 0) == 0) && (s.find("si") != std::string::npos || s.find("sw") != std::string::npos); };
  const int at = static_cast<int>(std::find_if(stages.begin(), stages.end(), scales) - stages.begin());
  if (at == static_cast<int>(stages.size())) return all;
  const auto with = [&](const Stages& instead) {
    Stages s;
    for (std::size_t i = 0; i < stages.size(); ++i) {
      if (static_cast<int>(i) == at) s.insert(s.end(), instead.begin(), instead.end());
      if (!scales(stages[i])) s.push_back(stages[i]);
      else if (const auto cut = stages[i].find(';'); cut != std::string::npos) s.push_back("add" + stages[i].substr(cut + 1));
    }
    return s;
  };
  const auto add = [&](const char* name, const std::string& sentence, const Stages& instead) {
    if (const auto s = with(instead); s != stages) all.push_back(staged_suspect(c, name, sentence, s));
  };
  add("multiplier:si*sw", "The two scales are multiplied with each other before the accumulator is.", {"multiply f32(si) * f32(sw)"});
  add("multiplier:f32", "The product of the two scales is formed in float64 and narrowed to float32.", {"multiply f32(si * sw)"});
  add("multiplier:one-by-one", "The accumulator is multiplied by the input's scale, then by the weight's.", {"multiply f32(si)", "multiply f32(sw)"});
  add("multiplier:one-by-one", "The accumulator is multiplied by the weight's scale, then by the input's.", {"multiply f32(sw)", "multiply f32(si)"});
  Stages wide = with({"multiply si * sw"});
  for (auto& s : wide) if (s == "float") s = "double";
  all.push_back(staged_suspect(c, "multiplier:f64", "The accumulator is scaled in float64.", wide));
  return all;
}

std::vector<Suspect> of_float_sums(const Case& c) {
  const auto sums = std::make_shared<const FloatSums>(c);
  const auto power = [&](const char* words, double least) {  // mantissas from here on go up
    return float_sums_suspect(sums, "multiplier:power-of-two", words, [sums](std::int64_t i) { return sums->sums()[static_cast<std::size_t>(i)]; }, [least](double m) {
      int exponent = 0;
      const double mantissa = std::frexp(m, &exponent);
      return std::ldexp(mantissa < least ? 0.5 : 1.0, exponent);
    });
  };
  return {power("The multiplier is the nearest power of two.", 0.75), power("The multiplier is the power of two whose logarithm is nearest.", 0.70710678118654757), power("The multiplier is the power of two below it.", 2)};
}

/// requantize has one ratio, si / so, and may round what it dequantized: all of it anew, in stages.
std::vector<Suspect> of_ratio(const Case& c) {
  std::vector<Suspect> all;
  const auto add = [&](const char* name, const std::string& words, const Stages& first) {
    Cell other = c.cell;
    other.rule = "stages", other.stages = first;
    other.stages.insert(other.stages.end(), {"zero_point", "clamp"});
    other.with.erase("int16_vector");
    Suspect s{name, "The multiplier is " + words + ".", 11, [&c, other](const std::vector<std::int64_t>& e) { return c.rerun(c.layer, other, e); }, true, {}};
    s.arithmetic = [&c, other](const Layer& layer, const std::vector<std::int64_t>& elements) { return c.rerun(layer, other, elements); };
    all.push_back(std::move(s));
  };
  struct Form {
    const char *name, *expression, *words;
  };
  constexpr Form floats[] = {{"multiplier:(si*sw)/so", "f32(si) / f32(so)", "si/so in float32"}, {"multiplier:(si*sw)*(1/so)", "f32(si) * (1 / f32(so))", "si*(1/so) in float32"},
                             {"multiplier:f32", "f32(si / so)", "si/so in float64, narrowed to float32"}};
  for (const auto& f : floats) add(f.name, f.words, {"float", std::string("multiply ") + f.expression, "round half_even exact"});
  constexpr Form fixed[] = {{"multiplier:f64", "si / so", "held and applied in float64"}, {"multiplier:q31", "q31(si / so)", "an integer of 31 bits and a shift"}, {"multiplier:q15", "q15(si / so)", "an integer of 15 bits and a shift"},
                            {"multiplier:power-of-two", "pow2(si / so)", "the nearest power of two"}, {"multiplier:power-of-two", "power(si / so) / 2", "the power of two below it"},
                            {"multiplier:power-of-two", "pow2(si / so * 1.0606601717798212)", "the power of two whose logarithm is nearest"}};
  for (const auto& f : fixed) {
    add(f.name, f.words, {"double", std::string("multiply ") + f.expression, "round half_even exact"});
    if (f.name != std::string("multiplier:f64")) add(f.name, std::string(f.words) + ", the rounding half up", {std::string("fixed single ") + f.expression});
  }
  return all;
}

std::vector<Suspect> suspects(const Case& c) {
  std::vector<Suspect> all;
  if (FloatSums::applies(c)) return of_float_sums(c);
  if (c.layer.op == "requantize" && c.port == "y" && !is_float(c.observed.dtype) && !is_float(c.layer.in("x").dtype)) all = of_ratio(c);
  if (!staged(c) || c.port == "accumulator") return all;
  if (is_float(c.base().out().dtype)) return of_floats(c);  // not of a dynamic convolution, which dequantizes what it stored
  const auto& stages = c.cell.stages;
  const auto multiplications = std::count_if(stages.begin(), stages.end(), [](const std::string& s) { return s.rfind("multiply ", 0) == 0; });
  for (const auto& a : associations) {
    const std::string sentence = std::string("The multiplier is formed as ") + a.words + ".";
    if (multiplications == 1) {  // everything else stays as the profile has it
      const std::string changed = std::string("multiply ") + a.expression;
      const auto edit = [changed](const Stages& before) { return edited(before, [&](const std::string& s) { return s.rfind("multiply ", 0) == 0 ? changed : s; }); };
      if (edit(stages) != stages) all.push_back(staged_suspect(c, a.name, sentence, edit));
    } else {
      all.push_back(staged_suspect(c, a.name, sentence, scaled_stages(c, "float", a.expression)));
    }
  }
  if (multiplications > 1) {  // a scale at a time: the product first
    bool first = true;
    const auto joined = edited(stages, [&](const std::string& s) -> std::string {
      if (s.rfind("multiply ", 0) != 0 || s.find("so") != std::string::npos) return s;
      return std::exchange(first, false) ? "multiply f32(si) * f32(sw)" : "";
    });
    all.push_back(staged_suspect(c, "multiplier:si*sw", "The two scales are multiplied with each other before the accumulator is, instead of one after the other.", joined));
  } else {
    all.push_back(staged_suspect(c, "multiplier:one-by-one", "The accumulator is multiplied by one scale after the other, never by their product.",
                          std::vector<std::string>{c.has_float_bias() ? "float" : "bias bias", c.has_float_bias() ? "multiply f32(si)" : "float",
                                                              c.has_float_bias() ? "multiply f32(sw)" : "multiply f32(si)", c.has_float_bias() ? "add f32(bias)" : "multiply f32(sw)",
                                                              "multiply 1 / f32(so)", "round half_even exact", "zero_point", "clamp"}));
  }
  // The multiplier alone in another type, all else as the profile has it; then with the arithmetic that goes with the type.
  const auto typed = [&](const char* name, const std::string& words, const std::string& multiplier, const char* fixed) {
    const auto kept = edited(stages, [&](const std::string& s) -> std::string {
      if (s.rfind("multiply ", 0) == 0) return "multiply " + multiplier;
      if (s.rfind("fixed ", 0) == 0) return s.substr(0, s.find(' ', 6)) + " " + multiplier;
      return s;
    });
    if (multiplications < 2 && kept != stages) all.push_back(staged_suspect(c, name, "The multiplier is " + words + "; all else is as the profile has it.", kept));
    all.push_back(staged_suspect(c, name, "The multiplier is " + words + ".", scaled_stages(c, "double", multiplier)));
    if (fixed) all.push_back(staged_suspect(c, name, "The multiplier is " + words + ", the bias an integer, the rounding half up.", fixed_stages(c, fixed, multiplier)));
  };
  // Float64 with the profile's own rounding: its last steps stay.
  if (const int round = find_stage(stages, "round"); round > 0 && multiplications > 0) {
    Stages wide{c.has_float_bias() && find_stage(stages, "bias") < 0 ? "double" : ""};
    if (wide[0].empty()) wide = c.has_float_bias() ? Stages{stages[static_cast<std::size_t>(find_stage(stages, "bias"))], "double"} : Stages{"bias bias", "double"};
    else wide.push_back("add bias / (si * sw)");
    wide.push_back("multiply si * sw / so");
    if (find_stage(stages, "zero_point") < round) wide.push_back("zero_point");
    wide.push_back(stages[static_cast<std::size_t>(round)]);
    if (find_stage(stages, "zero_point") > round) wide.push_back("zero_point");
    wide.push_back("clamp");
    all.push_back(staged_suspect(c, "multiplier:f64", "The multiplier is held and applied in float64; rounding and zero point are the profile's.", wide));
  }
  typed("multiplier:f64", "held and applied in float64", "si * sw / so", nullptr);
  typed("multiplier:q31", "an integer of 31 bits and a shift", "q31(si * sw / so)", "single");
  typed("multiplier:q15", "an integer of 15 bits and a shift", "q15(si * sw / so)", "single");
  typed("multiplier:power-of-two", "the nearest power of two", "pow2(si * sw / so)", "single");
  typed("multiplier:power-of-two", "the power of two below it", "power(si * sw / so) / 2", "single");
  // Nearest on a logarithmic scale: pow2 goes up from 1.5, its square from 2.25, so m * 1.5 / sqrt(2) goes up from sqrt(2).
  typed("multiplier:power-of-two", "the power of two whose logarithm is nearest", "pow2(si * sw / so * 1.0606601717798212)", "single");
  return all;
}

}  // namespace

Cause multiplier() {
  std::vector<std::string> names{"multiplier:f64", "multiplier:q31", "multiplier:q15", "multiplier:power-of-two", "multiplier:si*sw", "multiplier:one-by-one", "multiplier:divide", "multiplier:reciprocal"};
  for (const auto& a : associations) names.push_back(a.name);
  return {"multiplier", "another type or order of si*sw/so", names, suspects};
}

}  // namespace lastbit::causes
