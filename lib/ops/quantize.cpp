// quantize: y = clamp(round(x / scale) + zero_point), by one of the rules in lib/rules/quantize_value.hpp
#include "lib/error.hpp"
#include "lib/rules/pointwise.hpp"
#include "lib/rules/quantize_value.hpp"

namespace lastbit::ops {
namespace {

void check(const Layer& layer) {
  const Tensor& y = layer.out();
  if (!is_float(layer.in("x").dtype)) throw Error(layer.place + ": input \"x\"", "found " + std::string(name(layer.in("x").dtype)) + ", expected a float type");
  if (!y.q.quantized()) throw Error(layer.place + ": output \"y\"", "found no scale, expected one");
  expect_shape(layer, "y", layer.in("x").shape);
}

Result run(const Layer& layer, const Cell& cell) {
  const Tensor& out = layer.out();
  const QuantizeRule rule = quantize_rule(cell.get("rounding", "outside"), layer.place);
  const Range range = stored_range(out);
  Result r;
  Computed& y = r.outputs["y"] = quantized_output(out.shape);
  const auto x = layer.in("x").f32();
  for (std::size_t i = 0; i < x.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    y.q[i] = static_cast<std::int32_t>(quantize_value(rule, x[i], out.scale_at(at), out.zero_point_at(at), range, y.events[i]));
  }
  return r;
}

Real real(const Layer& layer, const Result&) {
  const Tensor& x = layer.in("x");
  return pointwise(x.size(), [&x]<class T>(std::int64_t i) { return T(x.value(i)); });
}

void facts(const Layer& layer, std::set<std::string>& f) {
  const auto& q = layer.out().q;
  if (q.axis >= 0 || q.scale.size() > 1) f.insert("y_per_channel");
  if (q.float_zero_point) f.insert("y_float_zero_point");
}

}  // namespace

Operator quantize() {
  return {.name = "quantize",
          .families = {},
          .formula = "y = clamp(round(x / scale) + zero_point)",
          .inputs = {{"x", "float32"}},
          .outputs = {{"y", "any integer type; its qparams say how"}},
          .attributes = {{"variant", "decomposed, decomposed_per_token (PT2E)"}, {"choose", "how the qparams were chosen"}},
          .rules = {"quantize"},
          .check = check,
          .run = run,
          .real = real,
          .facts = facts};
}

}  // namespace lastbit::ops
