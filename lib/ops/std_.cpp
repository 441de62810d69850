// std: y = sqrt(sum of (v - mean)^2 / (n - correction)), v = (x - zx) * sx over the reduced axes
//
//   codes    float64 over the codes' sum S and sum of squares Q, d = max(n - correction, 0), m = S / n:
//            sqrt(max(Q / d - 2 m S / d + m m n / d, 0)) * sx, narrowed to float32, quantized          ATen, inner axes
//   welford  dequantized to float32, accumulated in float64, narrowed, quantized                       ATen, other axes
// The order of welford's float64 steps is open; it can move the float32 by one unit where that is near a boundary.
//
//   aten/src/ATen/native/quantized/cpu/kernels/QuantizedOpKernels.cpp   qstd_inner_dim_kernel
//   aten/src/ATen/native/cpu/ReduceOpsKernel.cpp                        std_var_kernel_impl
#include <cmath>

#include "lib/error.hpp"
#include "lib/num/float.hpp"
#include "lib/rules/float_sum.hpp"
#include "lib/rules/pointwise.hpp"
#include "lib/rules/quantize_value.hpp"
#include "lib/rules/reduction.hpp"
#include "lib/rules/shapes.hpp"

namespace lastbit::ops {
namespace {

double correction_of(const Layer& layer) {
  const double c = layer.attributes.number("correction", 1.0);
  if (!std::isfinite(c)) throw Error(layer.place + ": attribute \"correction\"", "found a number that is not finite, expected a finite one");
  return c;
}

void check(const Layer& layer) {
  check_reduction(layer);
  correction_of(layer);
}

double from_codes(double sum, double squares, double n, double divisor) {
  const double mean = sum / n, mean_divided = sum / divisor;
  const double variance = squares / divisor - 2 * mean * mean_divided + mean * mean * n / divisor;
  return std::sqrt(variance < 0.0 ? 0.0 : variance);
}

/// What float64 accumulation of these float32 values may narrow to.
FloatRange from_floats(std::span<const float> v, double correction) {
  const double n = static_cast<double>(v.size()), divisor = n > correction ? n - correction : 0;
  double mean = 0, squares = 0, spread = 0;
  for (const float f : v) mean += static_cast<double>(f) / n;
  for (const float f : v) {
    squares += static_cast<double>(f) * static_cast<double>(f);
    spread += (static_cast<double>(f) - mean) * (static_cast<double>(f) - mean);
  }
  bool constant = true;
  for (const float f : v) constant = constant && f == v[0];
  if (constant) spread = squares = 0;
  const double error = 16 * (n + 4) * 0x1p-53 * squares;
  const auto narrowed = [&](double m2) { return static_cast<float>(std::sqrt(m2 / divisor)); };
  return {narrowed(std::fmax(spread - error, 0)), narrowed(spread + error)};
}

Result run(const Layer& layer, const Cell& cell) {
  const Groups g = reduction_groups(layer);
  const Tensor &x = layer.in("x"), &out = layer.out();
  const QuantizeRule rule = quantize_rule(cell.get("rounding", "outside"), layer.place);
  const double correction = correction_of(layer), n = static_cast<double>(g.size), divisor = std::fmax(n - correction, 0.0);
  const auto q = x.i32();
  const double sx = x.q.scale_of(0);
  const float si = static_cast<float>(sx);
  const std::int64_t zi = x.q.integer_zero_point();
  Result r;
  Computed& y = r.outputs["y"] = quantized_output(g.shape);
  std::vector<float> v(static_cast<std::size_t>(g.size));
  for (std::size_t o = 0; o < y.q.size(); ++o) {
    const std::int64_t* group = g.index.data() + o * v.size();
    const auto quantized = [&](float f, Events& e) { return quantize_value(rule, f, out.q.scale_of(0), out.q.zero_point_of(0), stored_range(out), e); };
    if (cell.rule == "codes") {
      std::int64_t sum = 0, squares = 0;
      for (std::size_t k = 0; k < v.size(); ++k) {
        const std::int64_t code = q[static_cast<std::size_t>(group[k])];
        sum += code;
        squares += code * code;
      }
      y.q[o] = static_cast<std::int32_t>(quantized(static_cast<float>(from_codes(static_cast<double>(sum), static_cast<double>(squares), n, divisor) * sx), y.events[o]));
      continue;
    }
    for (std::size_t k = 0; k < v.size(); ++k) v[k] = si * static_cast<float>(q[static_cast<std::size_t>(group[k])] - zi);
    const FloatRange f = from_floats(v, correction);
    Events other = 0;
    const std::int64_t lo = quantized(f.lo, y.events[o]), hi = quantized(f.hi, other);
    y.q[o] = static_cast<std::int32_t>(lo);
    if (lo == hi) continue;
    y.events[o] |= event::undefined;
    y.undefined.push_back({static_cast<std::int64_t>(o), static_cast<double>(lo), static_cast<double>(hi)});
  }
  return r;
}

/// ATen's kernel for inner axes does not take single elements.
void facts(const Layer& layer, std::set<std::string>& f) {
  reduction_facts(layer, f);
  if (!f.count("inner")) return;
  std::int64_t n = 1;
  for (const auto a : reduced_axes(layer, "dim", layer.in("x").rank())) n *= layer.in("x").dim(a);
  if (n == 1) f.erase("inner");
}

Real real(const Layer& layer, const Result&) {
  const auto g = std::make_shared<const Groups>(reduction_groups(layer));
  const Tensor& x = layer.in("x");
  const double correction = correction_of(layer), divisor = static_cast<double>(g->size) - correction;
  if (divisor <= 0) return {};  // not a number
  return pointwise(g->count(), [g, &x, divisor]<class T>(std::int64_t o) -> T {
    const auto code = [&](std::int64_t k) { return x.integer(g->index[static_cast<std::size_t>(o * g->size + k)]); };
    if constexpr (std::is_arithmetic_v<T>) {
      T mean = 0, spread = 0;
      for (std::int64_t k = 0; k < g->size; ++k) mean += dequantized<T>(x, g->index[static_cast<std::size_t>(o * g->size + k)]);
      mean /= static_cast<T>(g->size);
      for (std::int64_t k = 0; k < g->size; ++k) {
        const T d = dequantized<T>(x, g->index[static_cast<std::size_t>(o * g->size + k)]) - mean;
        spread += d * d;
      }
      return sqrt(spread / static_cast<T>(divisor));
    } else {  // n times the sum of squared deviations is an integer
      std::int64_t sum = 0, squares = 0;
      for (std::int64_t k = 0; k < g->size; ++k) {
        sum += code(k);
        squares += code(k) * code(k);
      }
      const T n(g->size);
      return sqrt((n * T(squares) - T(sum) * T(sum)) / n / T(divisor)) * T(x.q.scale_of(0));
    }
  });
}

}  // namespace

Operator std_() {
  return {.name = "std",
          .families = {},
          .formula = "y = sqrt(sum of (v - mean(v))^2 over dim / (n - correction)), v = (x - zx) * sx",
          .inputs = {{"x", "uint8, int8"}},
          .outputs = {{"y", "like x"}},
          .attributes = [] { auto a = reduction_attributes(); a.push_back({"correction", "number (1)"}); return a; }(),
          .rules = {"codes", "welford"},
          .check = check,
          .run = run,
          .real = real,
          .facts = facts};
}

}  // namespace lastbit::ops
