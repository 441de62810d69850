// mean: y = sum of (x - zx) * sx over the reduced axes / n
//
//   codes        clamp(rne(f32(f32(sum) / f32(n)))): the codes' own mean, no zero point        ATen, inner axes
//   float_sum    dequantized, added up in float32 in the runtime's order, divided, quantized   ATen, other axes: an interval
//   full_kernel  clamp(rne(f32(f32(acc) * m)) + zo), m = f32(f32(si) / f32(f32(so) * f32(n)))  QNNPACK
//
//   aten/src/ATen/native/quantized/cpu/ReduceOps.cpp                    mean_out_quantized_cpu
//   aten/src/ATen/native/quantized/cpu/kernels/QuantizedOpKernels.cpp   qmean_inner_dim_kernel
#include <algorithm>

#include "lib/error.hpp"
#include "lib/num/float.hpp"
#include "lib/rules/float_sum.hpp"
#include "lib/rules/pointwise.hpp"
#include "lib/rules/quantize_value.hpp"
#include "lib/rules/reduction.hpp"

namespace lastbit::ops {
namespace {

void check(const Layer& layer) { check_reduction(layer); }

std::int64_t nearest(float v, Events& events) {
  const RoundedInteger r = to_integer(std::clamp(static_cast<double>(v), -0x1p61, 0x1p61), Rounding::half_even);
  if (r.lost == Lost::half) events |= event::tie;
  return r.value;
}

std::int64_t bounded(std::int64_t v, Range range, Events& events) {
  if (v < range.min || v > range.max) events |= event::clamped;
  return std::clamp(v, range.min, range.max);
}

/// Dequantized, summed in any order, divided by n.
void float_sum_rule(const Layer& layer, const Cell& cell, const Groups& g, Computed& y) {
  const Tensor &x = layer.in("x"), &out = layer.out();
  const QuantizeRule rule = quantize_rule(cell.get("rounding", "outside"), layer.place);
  const auto q = x.i32();
  const float si = static_cast<float>(x.q.scale_of(0));
  const std::int64_t zi = x.q.integer_zero_point();
  std::vector<float> terms(static_cast<std::size_t>(g.size));
  for (std::size_t o = 0; o < y.q.size(); ++o) {
    for (std::size_t k = 0; k < terms.size(); ++k) terms[k] = si * static_cast<float>(q[static_cast<std::size_t>(g.index[o * terms.size() + k])] - zi);
    const FloatRange sum = float_sum(terms);
    const float n = static_cast<float>(g.size);
    const auto quantized = [&](float v, Events& events) { return quantize_value(rule, v / n, out.q.scale_of(0), out.q.zero_point_of(0), stored_range(out), events); };
    Events other = 0;
    const std::int64_t lo = quantized(sum.lo, y.events[o]), hi = quantized(sum.hi, other);
    y.q[o] = static_cast<std::int32_t>(lo);
    if (lo == hi) continue;
    y.events[o] |= event::undefined;
    y.undefined.push_back({static_cast<std::int64_t>(o), static_cast<double>(lo), static_cast<double>(hi)});
  }
}

Result run(const Layer& layer, const Cell& cell) {
  const Groups g = reduction_groups(layer);
  const Tensor &x = layer.in("x"), &out = layer.out();
  Result r;
  Computed& y = r.outputs["y"] = quantized_output(g.shape);
  if (cell.rule == "float_sum") {
    float_sum_rule(layer, cell, g, y);
    return r;
  }
  const auto sums = group_sums(g, x);
  const Range range = stored_range(out);
  const float n = static_cast<float>(g.size), m = static_cast<float>(x.q.scale_of(0)) / (static_cast<float>(out.q.scale_of(0)) * n);
  const std::int64_t zi = x.q.integer_zero_point(), zo = out.q.integer_zero_point();
  for (std::size_t o = 0; o < sums.size(); ++o) {
    Events& e = y.events[o];
    const std::int64_t v = cell.rule == "full_kernel" ? nearest(static_cast<float>(sums[o] - zi * g.size) * m, e) + zo : nearest(static_cast<float>(sums[o]) / n, e);
    y.q[o] = static_cast<std::int32_t>(bounded(v, range, e));
  }
  return r;
}

Real real(const Layer& layer, const Result&) {
  const auto g = std::make_shared<const Groups>(reduction_groups(layer));
  const Tensor& x = layer.in("x");
  const auto sums = std::make_shared<const std::vector<std::int64_t>>(group_sums(*g, x));
  return pointwise(g->count(), [g, sums, &x]<class T>(std::int64_t o) -> T {
    if constexpr (std::is_arithmetic_v<T>) {
      T sum = 0;
      for (std::int64_t k = 0; k < g->size; ++k) sum += dequantized<T>(x, g->index[static_cast<std::size_t>(o * g->size + k)]);
      return sum / static_cast<T>(g->size);
    } else {
      return T((*sums)[static_cast<std::size_t>(o)] - x.q.integer_zero_point() * g->size) * T(x.q.scale_of(0)) / T(g->size);
    }
  });
}

}  // namespace

Operator mean() {
  return {.name = "mean",
          .families = {},
          .formula = "y = sum of (x - zx) * sx over dim / n",
          .inputs = {{"x", "uint8, int8, int16"}},
          .outputs = {{"y", "like x"}},
          .attributes = reduction_attributes(),
          .rules = {"codes", "float_sum", "full_kernel"},
          .check = check,
          .run = run,
          .real = real,
          .facts = reduction_facts};
}

}  // namespace lastbit::ops
