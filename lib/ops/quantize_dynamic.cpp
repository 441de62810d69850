// quantize_dynamic: scale and zero point are chosen from the data, then y = clamp(round(x / scale) + zero_point)
#include "lib/error.hpp"
#include "lib/rules/choose_qparams.hpp"
#include "lib/rules/pointwise.hpp"
#include "lib/rules/quantize_value.hpp"

namespace lastbit::ops {
namespace {

void check(const Layer& layer) {
  const Tensor& y = layer.out();
  if (!is_float(layer.in("x").dtype)) throw Error(layer.place + ": input \"x\"", "found " + std::string(name(layer.in("x").dtype)) + ", expected a float type");
  if (!y.q.quantized() || y.q.scale.size() > 1) throw Error(layer.place + ": output \"y\"", "found " + std::to_string(y.q.scale.size()) + " scales, expected one");
  expect_shape(layer, "y", layer.in("x").shape);
}

// Cell parameters: choose (a rule of choose_qparams.hpp), rounding (a rule of quantize_value.hpp), reduce_range (honoured, ignored).
Result run(const Layer& layer, const Cell& cell) {
  const Tensor& out = layer.out();
  const auto x = layer.in("x").f32();
  const Range range = stored_range(out);
  // reduce_range halves the range that scale and zero point are chosen for.
  const bool reduced = layer.attributes.boolean("reduce_range", false) && cell.get("reduce_range", "honoured") == "honoured";
  const Range over = reduced ? Range{range.min / 2, range.max / 2} : range;
  const auto chosen = choose_qparams(cell.get("choose"), x, over.min, over.max, layer.place);
  const QuantizeRule rule = quantize_rule(cell.get("rounding"), layer.place);
  Result r;
  Computed& y = r.outputs["y"] = quantized_output(out.shape);
  y.chosen = Quantization{.scale = {chosen.scale}, .zero_point = {static_cast<double>(chosen.zero_point)}};
  for (std::size_t i = 0; i < x.size(); ++i)
    y.q[i] = static_cast<std::int32_t>(quantize_value(rule, x[i], chosen.scale, static_cast<double>(chosen.zero_point), range, y.events[i]));
  return r;
}

Real real(const Layer& layer, const Result&) {
  const Tensor& x = layer.in("x");
  return pointwise(x.size(), [&x]<class T>(std::int64_t i) { return T(x.value(i)); });
}

}  // namespace

Operator quantize_dynamic() {
  return {.name = "quantize_dynamic",
          .families = {},
          .formula = "scale, zero_point = chosen from min and max of x; y = clamp(round(x / scale) + zero_point)",
          .inputs = {{"x", "float32"}},
          .outputs = {{"y", "uint8, int8; its qparams are compared too"}},
          .attributes = {{"reduce_range", "true or false"}},
          .rules = {"choose_quantize"},
          .check = check,
          .run = run,
          .real = real};
}

}  // namespace lastbit::ops
