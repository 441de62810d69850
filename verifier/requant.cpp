// requant.cpp: see requant.hpp.
#include "verifier/requant.hpp"

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "lib/error.hpp"
#include "lib/layer/operator.hpp"
#include "lib/num/exact.hpp"
#include "lib/profile/requantize.hpp"
#include "verifier/stages.hpp"

namespace lastbit {
namespace {

struct Rule {
  const char* name;
  std::vector<std::string> stages;
};

// A float bias is added to the float, or rounded to an int32 at si*sw where the arithmetic is in integers.
std::vector<Rule> rules() {
  const auto in_float = [](const char* multiplier) { return std::vector<std::string>{"float", "add f32(bias) / (f32(si) * f32(sw))", std::string("multiply ") + multiplier, "round half_even exact", "zero_point", "clamp"}; };
  const auto in_double = [](const char* rounding) { return std::vector<std::string>{"double", "add bias / (si * sw)", "multiply si * sw / so", std::string("round ") + rounding + " exact", "zero_point", "clamp"}; };
  const auto fixed = [](const char* rule) { return std::vector<std::string>{"bias bias / (si * sw)", std::string("fixed ") + rule + " si * sw / so", "zero_point", "clamp"}; };
  return {
      {"double rounding (SRDHM, then shift half away)", fixed("double_away")},
      {"double rounding, shift half up", fixed("double_up")},
      {"single rounding, half up", fixed("single")},
      {"floor, then shift half up", fixed("floor_up")},
      {"16-bit multiplier, half up", fixed("reduced")},
      {"24-bit multiplier, half up (rndnu)", {"bias bias / (si * sw)", "fixed rndnu f32(si) * f32(sw) / f32(so)", "zero_point", "clamp"}},
      {"float32(multiplier), half even", in_float("f32(si * sw / so)")},
      {"float32 scale (si*sw)/so, half even", in_float("f32(si) * f32(sw) / f32(so)")},
      {"float32 scale (si*sw)*(1/so), half even", in_float("f32(si) * f32(sw) * (1 / f32(so))")},
      {"float32 scale si*(sw/so), half even", in_float("f32(si) * (f32(sw) / f32(so))")},
      {"float32, one scale after the other, half even", {"float", "multiply f32(si)", "multiply f32(sw)", "add f32(bias)", "multiply 1 / f32(so)", "round half_even exact", "zero_point", "clamp"}},
      {"float32 scale (si*sw)/so, zero point before rounding", {"float", "add f32(bias) / (f32(si) * f32(sw))", "multiply f32(si) * f32(sw) / f32(so)", "zero_point", "round half_even exact", "clamp"}},
      {"float64, half even", in_double("half_even")},
      {"float64, half away", in_double("half_away")},
      {"float64, half up", in_double("half_up")},
      {"float64, toward zero", in_double("to_zero")},
      {"float64, floor", in_double("floor")},
      {"nearest power of two, half up", {"bias bias / (si * sw)", "fixed single pow2(si * sw / so)", "zero_point", "clamp"}},
  };
}

/// A linear layer of one element, so that every profile may say by which stages it computes it.
Layer linear_layer(const RequantOptions& o, DType dtype, bool per_channel) {
  const std::vector<std::int32_t> one{0};
  Layer layer;
  layer.name = layer.op = "linear";
  layer.place = "requant";
  layer.attributes.place = "requant";
  Quantization x{.scale = {o.scale_in}, .zero_point = {0}}, w{.scale = {o.scale_weight}, .zero_point = {0}}, y{.scale = {o.scale_out}, .zero_point = {static_cast<double>(o.zero_point)}};
  x.qmin = info(dtype).min, x.qmax = info(dtype).max, w.qmin = -128, w.qmax = 127, y.qmin = x.qmin, y.qmax = x.qmax;
  if (per_channel) w.axis = 0;
  if (o.bias) layer.inputs.emplace("bias", Tensor::of_floats("bias", {1}, std::vector<float>{static_cast<float>(*o.bias)}));
  layer.inputs.emplace("x", Tensor::of_integers("x", dtype, {1, 1}, x, one));
  layer.inputs.emplace("weight", Tensor::of_integers("weight", DType::int8, {1, 1}, w, one));
  layer.outputs.emplace("y", Tensor::of_integers("y", dtype, {1, 1}, y, one));
  return layer;
}

std::string run(const std::vector<std::string>& stages, const RequantOptions& o, DType dtype) {
  RequantizeContext c;
  c.min = o.min.value_or(info(dtype).min), c.max = o.max.value_or(info(dtype).max);
  c.has_bias = o.bias.has_value();
  c.channels.push_back({{"si", o.scale_in}, {"sw", o.scale_weight}, {"so", o.scale_out}, {"zi", 0.0}, {"zo", static_cast<double>(o.zero_point)}, {"bias", static_cast<double>(static_cast<float>(o.bias.value_or(0)))}, {"sb", 1.0}, {"alpha", 1.0}});
  Events events = 0;
  return std::to_string(Requantizer(stages, c, "requant")(o.acc, 0, events));
}

}  // namespace

namespace {

/// Stages that name a bias are none without one; nor are those that change nothing here.
Stages in_force(const Stages& stages, const RequantOptions& o) {
  Stages s;
  for (const auto& stage : stages)
    if (stage != "activation" && stage != "saturate16" && (o.bias || stage.find("bias") == std::string::npos)) s.push_back(stage.rfind("round half_even", 0) == 0 ? "round half_even" : stage);
  return s;
}

}  // namespace

RequantTable requant(const RequantOptions& o) {
  for (const auto& [flag, v] : {std::pair<const char*, double>{"--scale-in", o.scale_in}, {"--scale-weight", o.scale_weight}, {"--scale-out", o.scale_out}})
    if (!(v > 0) || v > 1e300) throw Error(flag, "found " + std::to_string(v) + ", expected a positive finite number");
  const auto dtype = dtype_named(o.dtype);
  if (!dtype || is_float(*dtype)) throw Error("--dtype", "found \"" + o.dtype + "\", expected int8, uint8, int16, ...");
  if (o.zero_point < info(*dtype).min || o.zero_point > info(*dtype).max) throw Error("--zero-point", "found " + std::to_string(o.zero_point) + ", expected a value of " + o.dtype);
  if (o.acc < INT32_MIN || o.acc > INT32_MAX) throw Error("--acc", "found " + std::to_string(o.acc) + ", expected an int32");
  if (o.bias && !std::isfinite(static_cast<float>(*o.bias))) throw Error("--bias", "found " + std::to_string(*o.bias) + ", expected a finite float32");
  for (const auto& [flag, bound] : {std::pair{"--min", o.min}, {"--max", o.max}})
    if (bound && (*bound < info(*dtype).min || *bound > info(*dtype).max)) throw Error(flag, "found " + std::to_string(*bound) + ", expected a value of " + o.dtype);
  if (o.min.value_or(info(*dtype).min) > o.max.value_or(info(*dtype).max)) throw Error("--min", "found " + std::to_string(o.min.value_or(info(*dtype).min)) + ", expected at most --max");
  RequantTable t;
  const Exact value = (Exact(o.acc) * Exact(o.scale_in) * Exact(o.scale_weight) + Exact(static_cast<double>(static_cast<float>(o.bias.value_or(0))))) / Exact(o.scale_out);
  t.exact = value.decimal(11);
  t.fraction = value.fraction();
  for (const auto& rule : rules()) t.rows.push_back({rule.name, "", run(rule.stages, o, *dtype), rule.stages});
  const Operator* linear = find_operator("linear");
  for (const auto& p : all_profiles())
    for (const auto& isa : p.isas.empty() ? std::vector<std::string>{""} : p.isas)
      for (const bool per_channel : {false, true}) {
        Layer layer = linear_layer(o, *dtype, per_channel);
        layer.producer.fields["isa"] = isa;
        layer.facts = common_facts(layer);
        const Cell* cell = cell_for(p, *linear, layer);
        if (!cell || cell->stages.empty()) continue;
        std::string value_text;
        try {
          value_text = run(cell->stages, o, *dtype);
        } catch (const std::exception&) {
          continue;  // stages that do not end in an integer
        }
        const std::string label = p.name + (isa.empty() || isa == p.isas[0] ? "" : "@" + isa) + (per_channel ? ", per channel" : "");
        RequantRow* row = nullptr;
        for (auto& r : t.rows)
          if (r.value == value_text && in_force(r.stages, o) == in_force(cell->stages, o)) row = &r;
        if (row) row->profiles += (row->profiles.empty() ? "" : "; ") + label;
        else t.rows.push_back({"as " + label, label, value_text, cell->stages});
      }
  return t;
}

std::string to_text(const RequantTable& t, const RequantOptions& o) {
  std::string s = "acc " + std::to_string(o.acc) + ", exact value " + t.exact + ", zero point " + std::to_string(o.zero_point) + "\n  = " + t.fraction + "\n\n";
  std::size_t width = 0;
  for (const auto& r : t.rows) width = std::max(width, r.rule.size());
  for (const auto& r : t.rows) {
    s += "  " + r.rule + std::string(width - r.rule.size(), ' ') + "  " + r.value;
    if (!r.profiles.empty() && r.rule != "as " + r.profiles) s += std::string(r.value.size() < 6 ? 6 - r.value.size() : 1, ' ') + r.profiles;
    s += "\n";
  }
  return s;
}

std::string to_json(const RequantTable& t, const RequantOptions& o) {
  nlohmann::ordered_json j{{"acc", o.acc}, {"zero_point", o.zero_point}, {"exact", t.exact}, {"fraction", t.fraction}, {"rules", nlohmann::ordered_json::array()}};
  for (const auto& r : t.rows) j["rules"].push_back({{"rule", r.rule}, {"profiles", r.profiles}, {"value", std::stoll(r.value)}, {"stages", r.stages}});
  return j.dump(1) + "\n";
}

}  // namespace lastbit
