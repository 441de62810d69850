// leaky_relu: y = x > 0 ? x : x * negative_slope; see lib/rules/activation.hpp
#include <algorithm>
#include <cmath>

#include "lib/error.hpp"
#include "lib/num/float.hpp"
#include "lib/rules/activation.hpp"
#include "lib/rules/aten_kernel.hpp"
#include "lib/rules/limits.hpp"
#include "lib/rules/pointwise.hpp"

namespace lastbit::ops {
namespace {

double slope(const Layer& layer) { return layer.attributes.number("negative_slope", 0.01); }

void check(const Layer& layer) {
  check_activation(layer);
  if (!std::isfinite(static_cast<float>(slope(layer)))) throw Error(layer.place + ": attribute \"negative_slope\"", "found a number beyond float32, expected a finite one");
}
// fixed     q >= zi: (q - zi) by the multiplier "positive", else by "negative", where alpha is the slope's size; a negative slope
//           turns the sign of the rounded product. Fixed-point rule "fixed" (TFLite)
// eighths   y = clamp(((zo << 8) + 128 + (q - zi) * m) >> 8), m = rne(256 * si / so), times the slope below zi (XNNPACK)
Result run(const Layer& layer, const Cell& cell) {
  const auto alpha = static_cast<float>(slope(layer));
  const Tensor &x = layer.in("x"), &out = layer.out();
  const std::int64_t zi = x.q.integer_zero_point(), zo = out.q.integer_zero_point();
  const Range range = stored_range(out);
  const auto kept = [&](std::int64_t v, Mapped m) {
    if (v < range.min || v > range.max) m.events |= event::clamped;
    m.q = static_cast<std::int32_t>(std::clamp(v, range.min, range.max));
    return m;
  };
  if (cell.rule == "fixed") {
    RequantizeContext context = activation_context(layer, {std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max()});
    context.channels[0]["alpha"] = static_cast<double>(std::fabs(alpha));
    const auto by = [&](const char* key) { return Requantizer({"fixed " + cell.get("fixed", "double_away") + " " + cell.get(key)}, context, layer.place); };
    const Requantizer positive = by("positive"), negative = by("negative");
    return map_values(x, out.shape, [&](std::int64_t q) {
      Mapped m;
      const std::int64_t v = q - zi;
      const std::int64_t scaled = v >= 0 ? positive(v, 0, m.events) : (alpha < 0 ? -1 : 1) * negative(v, 0, m.events);
      return kept(scaled + zo, m);
    });
  }
  if (cell.rule == "eighths") {
    const float ratio = static_cast<float>(x.q.scale_of(0)) / static_cast<float>(out.q.scale_of(0)), below = ratio * alpha;
    if (!(ratio < 0x1p20f && std::fabs(below) < 0x1p20f)) throw Error(layer.place, "found scales whose ratio is beyond 2^20, expected a smaller one");
    const std::int64_t positive = rne(static_cast<double>(256.0f * ratio)), negative = rne(static_cast<double>(256.0f * below));
    return map_values(x, out.shape, [&](std::int64_t q) {
      const std::int64_t v = q - zi, sum = zo * 256 + 128 + v * (v >= 0 ? positive : negative);
      return kept(sum >> 8, Mapped{0, (sum & 255) == 0 ? Events{event::tie} : Events{0}});
    });
  }
  return run_activation(layer, cell, [alpha](const std::string&, float v) { return v > 0.0f ? v : v * alpha; });
}

Real real(const Layer& layer, const Result&) {
  const Tensor& x = layer.in("x");
  const auto alpha = static_cast<float>(slope(layer));
  return pointwise(x.size(), [&x, alpha]<class T>(std::int64_t i) -> T {
    const T v = dequantized<T>(x, i);
    return v > T(0) ? v : v * T(alpha);
  });
}

}  // namespace

Operator leaky_relu() {
  return {.name = "leaky_relu",
          .families = {"activation"},
          .formula = "y = x > 0 ? x : x * negative_slope",
          .inputs = {{"x", "uint8, int8, int16"}},
          .outputs = {{"y", "like x"}},
          .attributes = {{"negative_slope", "number, 0.01 when absent"}},
          .rules = {"aten", "lut", "fixed", "eighths"},
          .check = check,
          .run = run,
          .real = real};
}

}  // namespace lastbit::ops
