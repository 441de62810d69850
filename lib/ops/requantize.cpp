// requantize: y = clamp(round((x - zx) * sx / sy) + zy): integers to other qparams or another type
#include "lib/error.hpp"
#include "lib/rules/inexact.hpp"
#include "lib/rules/pointwise.hpp"
#include "lib/rules/quantize_value.hpp"

namespace lastbit::ops {
namespace {

void check(const Layer& layer) {
  if (!layer.in("x").q.quantized() || !layer.out().q.quantized()) throw Error(layer.place, "found a tensor without a scale, expected input and output with one");
  expect_shape(layer, "y", layer.in("x").shape);
}

Result run(const Layer& layer, const Cell& cell) {
  const Tensor& x = layer.in("x");
  const Tensor& out = layer.out();
  const Range range = stored_range(out);
  Result r;
  Computed& y = r.outputs["y"] = quantized_output(out.shape);
  if (cell.rule == "stages") {  // fixed point on x - zx
    RequantizeContext c;
    c.min = range.min, c.max = range.max;
    c.channels.push_back({{"si", x.q.scale_of(0)}, {"so", out.q.scale_of(0)}, {"sw", 1.0}, {"zi", x.q.zero_point_of(0)}, {"zo", out.q.zero_point_of(0)}, {"bias", 0.0}, {"alpha", 1.0}});
    c.lanes = x.size();  // the "channel" of a stage is the element: vector blocks run over all of them
    const Requantizer requantize(cell.stages, c, layer.place);
    for (std::size_t i = 0; i < y.q.size(); ++i)
      y.q[i] = static_cast<std::int32_t>(requantize(x.integer(static_cast<std::int64_t>(i)) - x.q.integer_zero_point(), static_cast<std::int64_t>(i), y.events[i]));
    if (cell.get("bounds") == "tosa_inexact")
      for (std::int64_t i = 0; i < x.size(); ++i)
        add_inexact(y, i, x.integer(i) - x.q.integer_zero_point(), quantize_multiplier(x.q.scale_of(0) / out.q.scale_of(0)), out.q.integer_zero_point(), range);
    return r;
  }
  const QuantizeRule rule = quantize_rule(cell.get("rounding", "outside"), layer.place);
  for (std::size_t i = 0; i < y.q.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    const float real = static_cast<float>(x.scale_at(at)) * static_cast<float>(x.integer(at) - static_cast<std::int64_t>(x.zero_point_at(at)));
    y.q[i] = static_cast<std::int32_t>(quantize_value(rule, real, out.scale_at(at), out.zero_point_at(at), range, y.events[i]));
  }
  return r;
}

Real real(const Layer& layer, const Result&) {
  const Tensor& x = layer.in("x");
  return pointwise(x.size(), [&x]<class T>(std::int64_t i) { return dequantized<T>(x, i); });
}

}  // namespace

Operator requantize() {
  return {.name = "requantize",
          .families = {},
          .formula = "y = clamp(round((x - zx) * sx / sy) + zy)",
          .inputs = {{"x", "any quantized tensor"}},
          .outputs = {{"y", "uint8, int8, int16, int32"}},
          .attributes = {},
          .rules = {"dequantize_quantize", "stages"},
          .check = check,
          .run = run,
          .real = real};
}

}  // namespace lastbit::ops
