// bias: the bias is an integer where the profile keeps a float, a float where it is an integer, or missing.
#include "verifier/cause.hpp"
#include "verifier/stages.hpp"

namespace lastbit::causes {
namespace {

bool adds_bias(const std::string& s) { return s.find("bias") != std::string::npos; }

std::vector<Suspect> suspects(const Case& c) {
  std::vector<Suspect> all;
  if (!c.layer.find("bias")) return all;
  if (!c.accumulates()) return all;
  const auto& stages = c.cell.stages;
  // a product and the bias in one fused step leave the product
  const auto without = [](const Stages& before) {
    return edited(before, [](const std::string& s) { return s.rfind("muladd ", 0) == 0 && adds_bias(s) ? "multiply " + s.substr(7, s.find(';') - 7) : adds_bias(s) ? std::string() : s; });
  };
  const Stages dropped = without(stages);
  all.push_back(suspect(c, "bias:dropped", "The bias was not added.", {.edit = without}));
  if (c.has_float_bias()) {
    for (const char* expression : {"bias / (si * sw)", "f32(bias) / (f32(si) * f32(sw))", "f32(bias) * (1 / f32(sw * si))"}) {
      auto quantized = dropped;
      quantized.insert(quantized.begin(), std::string("bias ") + expression);
      if (quantized != stages) all.push_back(suspect(c, "bias:quantized", "The bias was rounded to an int32 at scale si*sw and added to the accumulator.", {.stages = quantized}));
    }
    if (find_stage(stages, "bias") >= 0) {
      auto floating = dropped;
      if (const int at = find_stage(floating, "float"); at >= 0) {
        const auto p = static_cast<std::ptrdiff_t>(at) + 1;
        for (const char* form : {"add f32(bias) / (f32(si) * f32(sw))", "fma f32(bias) ; 1 / (f32(si) * f32(sw))", "add f32(bias) * (1 / (f32(si) * f32(sw)))", "add f32(bias / (si * sw))"}) {
          auto other = floating;
          other.insert(other.begin() + p, form);
          all.push_back(suspect(c, "bias:float", "The bias stayed a float: added to the accumulator's float, not rounded to an int32.", {.stages = other}));
        }
        all.push_back(suspect(c, "bias:float", "The bias stayed a float, added in float64.", {.stages = scaled_stages(c, "double", "si * sw / so")}));
      }
    }
  }
  return all;
}

}  // namespace

Cause bias() { return {"bias", "the bias quantized, kept as a float, or dropped", {"bias:quantized", "bias:dropped", "bias:float"}, suspects}; }

}  // namespace lastbit::causes
