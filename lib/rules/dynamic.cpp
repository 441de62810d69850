// dynamic.cpp: see dynamic.hpp.
#include "lib/rules/dynamic.hpp"

#include "lib/profile/expression.hpp"
#include "lib/rules/choose_qparams.hpp"
#include "lib/rules/quantize_value.hpp"

namespace lastbit {

DynamicInput quantize_dynamic_input(const Layer& layer, const Cell& cell, const Tensor& x) {
  const auto values = x.f32();
  const bool reduced = layer.attributes.boolean("reduce_range", false) && cell.get("reduce_range", "honoured") == "honoured";
  DynamicInput in;
  if (layer.attributes.has("input_scale")) {
    in.scale = layer.attributes.number("input_scale");
    in.zero_point = layer.attributes.integer("input_zero_point", 0);
  } else {
    const auto chosen = choose_qparams(cell.get("choose", "pytorch"), values, 0, reduced ? 127 : 255, layer.place);
    in.scale = chosen.scale;
    in.zero_point = chosen.zero_point;
  }
  const std::string expression = cell.get("quantize_scale");
  const double scale = expression.empty() ? in.scale : Expression::parse(expression, layer.place).evaluate({{"si", in.scale}}).value;
  const QuantizeRule rule = quantize_rule(cell.get("rounding", "outside"), layer.place);
  in.q.reserve(values.size());
  for (const float v : values) {
    Events ignored = 0;
    in.q.push_back(static_cast<std::int32_t>(quantize_value(rule, v, scale, static_cast<double>(in.zero_point), {0, 255}, ignored)));
  }
  return in;
}

}  // namespace lastbit
