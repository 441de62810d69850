// bias: the bias is an integer where the profile keeps a float, a float where it is an integer, or missing.
#include "verifier/altered.hpp"
#include "verifier/cause.hpp"
#include "verifier/stages.hpp"

namespace lastbit::causes {
namespace {

bool adds_bias(const std::string& s) { return s.find("bias") != std::string::npos; }

/// A product and the bias in one fused step leave the product.
Stages without_bias(const Stages& before) {
  return edited(before, [](const std::string& s) { return s.rfind("muladd ", 0) == 0 && adds_bias(s) ? "multiply " + s.substr(7, s.find(';') - 7) : adds_bias(s) ? std::string() : s; });
}

constexpr const char* quantizations[] = {"bias / (si * sw)", "f32(bias) / (f32(si) * f32(sw))", "f32(bias) * (1 / f32(sw * si))"};

/// Layers that are run anew: each bias as zeros, for an operator may have cells for layers without one.
std::vector<Suspect> of_runs(const Case& c) {
  std::vector<Suspect> all;
  std::vector<std::string> ports;
  for (const char* port : {"bias", "bias_ih", "bias_hh"})
    if (c.layer.find(port)) ports.push_back(port);
  add_edited(c, all, ports, "bias:dropped", "The bias was not added.", [](const Tensor& t) {
    const std::vector<std::int32_t> zeros(static_cast<std::size_t>(t.size()));
    return is_float(t.dtype) ? Tensor::of_floats(t.name, t.shape, std::vector<float>(zeros.size())) : Tensor::of_integers(t.name, t.dtype, t.shape, t.q, zeros);
  });
  if (sums_in_stages(c) && !ports.empty())
    for (const char* expression : quantizations) {
      Stages stages = without_bias(c.cell.stages);
      stages.insert(stages.begin(), std::string("bias ") + expression);
      all.push_back(staged_suspect(c, "bias:quantized", "The bias was rounded to an int32 at scale si*sw and added to the accumulator.", stages));
    }
  if (c.layer.find("weight_bias")) {  // of every row or group of weights: its zero point, in real units
    Layer other = c.layer;
    other.inputs.erase("weight_bias");
    all.push_back(rerun_suspect(c, "bias:dropped", "What is added to every weight of a row or group (weight_bias) was left out.", std::move(other), 11));
  }
  return all;
}

std::vector<Suspect> suspects(const Case& c) {
  std::vector<Suspect> all;
  if (!c.accumulates()) return of_runs(c);
  if (!c.layer.find("bias")) return all;
  const auto& stages = c.cell.stages;
  const Stages dropped = without_bias(stages);
  all.push_back(suspect(c, "bias:dropped", "The bias was not added.", {.edit = without_bias}));
  if (c.has_float_bias()) {
    for (const char* expression : quantizations) {
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
