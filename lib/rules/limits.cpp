// limits.cpp: see limits.hpp.
#include "lib/rules/limits.hpp"

#include <algorithm>
#include <cmath>

#include "lib/error.hpp"
#include "lib/rules/aten_kernel.hpp"
#include "lib/rules/pointwise.hpp"
#include "lib/rules/quantize_value.hpp"

namespace lastbit {

void check_activation(const Layer& layer) {
  const Tensor &x = layer.in("x"), &y = layer.out();
  const auto usable = [](const Tensor& t) { return !is_float(t.dtype) && info(t.dtype).bits <= 16 && t.q.scale.size() == 1; };
  if (!usable(x)) throw Error(layer.place + ": input \"x\"", "found " + std::string(name(x.dtype)) + " with " + std::to_string(x.q.scale.size()) + " scales, expected an integer type of at most 16 bits and one scale");
  if (!usable(y)) throw Error(layer.place + ": output \"y\"", "found " + std::string(name(y.dtype)) + " with " + std::to_string(y.q.scale.size()) + " scales, expected an integer type of at most 16 bits and one scale");
  expect_shape(layer, "y", x.shape);
}

void output_facts(const Layer& layer, std::set<std::string>& f) {
  const Quantization& q = layer.out().q;
  if (q.scale.size() != 1) return;
  const Quantization& x = layer.in("x").q;
  if (x.scale.size() == 1 && x.scale_of(0) == q.scale_of(0) && x.zero_point_of(0) == q.zero_point_of(0)) f.insert("equal_qparams");
  if (q.scale_of(0) == 1.0 / 256 && q.zero_point_of(0) == 0) f.insert("y_256ths");
  if (q.scale_of(0) == 1.0 / 128 && q.zero_point_of(0) == 128) f.insert("y_128ths");
}

RequantizeContext activation_context(const Layer& layer, Range range) {
  const Tensor &x = layer.in("x"), &y = layer.out();
  RequantizeContext c;
  c.min = range.min, c.max = range.max;
  c.channels.push_back({{"si", x.q.scale_of(0)}, {"sw", 1.0}, {"so", y.q.scale_of(0)}, {"zi", x.q.zero_point_of(0)}, {"zo", y.q.zero_point_of(0)}, {"bias", 0.0}, {"alpha", 1.0}});
  return c;
}

void check_limits(const Layer& layer, const Limits& limits) {
  check_activation(layer);
  for (const auto& bound : {limits.lo, limits.hi})
    if (bound && !std::isfinite(static_cast<float>(*bound))) throw Error(layer.place, "found a bound that float32 cannot hold, expected finite numbers");
}

Result run_limits(const Layer& layer, const Cell& cell, const Limits& limits) {
  const Tensor &x = layer.in("x"), &y = layer.out();
  const QuantizeRule rule = quantize_rule(cell.get("bound", "outside"), layer.place);
  const Range stored = stored_range(y);
  Events ignored = 0;
  const auto bound = [&](double v) { return quantize_value(rule, static_cast<float>(v), y.q.scale_of(0), y.q.zero_point_of(0), stored, ignored); };
  const Range range{limits.lo ? bound(*limits.lo) : stored.min, limits.hi ? bound(*limits.hi) : stored.max};
  if (cell.rule == "stages") {
    const Requantizer requantize(cell.stages, activation_context(layer, {range.min, std::max(range.min, range.max)}), layer.place);
    return map_values(x, y.shape, [&](std::int64_t q) {
      Mapped m;
      m.q = static_cast<std::int32_t>(requantize(q - x.q.integer_zero_point(), 0, m.events));
      return m;
    });
  }
  return map_values(x, y.shape, [&](std::int64_t q) {
    Mapped m;
    const std::int64_t v = std::min(std::max(q, range.min), range.max);  // a lower bound above the upper one gives the upper
    if (v != q) m.events |= event::clamped;
    m.q = static_cast<std::int32_t>(v);
    return m;
  });
}

Real real_limits(const Layer& layer, const Limits& limits) {
  const Tensor& x = layer.in("x");
  return pointwise(x.size(), [&x, limits]<class T>(std::int64_t i) -> T {
    T v = dequantized<T>(x, i);
    if (limits.lo && std::isfinite(*limits.lo)) v = max(v, T(*limits.lo));
    if (limits.hi && std::isfinite(*limits.hi)) v = min(v, T(*limits.hi));
    return v;
  });
}

}  // namespace lastbit
