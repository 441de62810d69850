// sums.cpp: see sums.hpp.
//
//   aten/src/ATen/native/quantized/cpu/ReduceOps.cpp                    mean_out_quantized_cpu
//   aten/src/ATen/native/quantized/cpu/kernels/QuantizedOpKernels.cpp   qmean_inner_dim_kernel
//   tflite/kernels/internal/reference/reduce.h                          QuantizedMeanOrSum, QuantizedMeanOrSumExtraArgs
//   tflite/kernels/internal/optimized/integer_ops/mean.h                MeanImpl
//   xnnpack/src/operators/reduce-nd.c                                   the float32 scale
#include "lib/rules/sums.hpp"

#include <algorithm>
#include <bit>

#include "lib/error.hpp"
#include "lib/num/fixed.hpp"
#include "lib/num/float.hpp"
#include "lib/rules/cascade_sum.hpp"
#include "lib/rules/float_sum.hpp"
#include "lib/rules/pointwise.hpp"
#include "lib/rules/quantize_value.hpp"
#include "lib/rules/reduction.hpp"

namespace lastbit {
namespace {

std::int64_t integer_of(float v, Rounding mode, Events& events) {
  const RoundedInteger r = to_integer(std::clamp(static_cast<double>(v), -0x1p61, 0x1p61), mode);
  if (r.lost == Lost::half) events |= event::tie;
  return r.value;
}

FixedRule fixed_rule(const std::string& name, const Layer& layer) {
  if (name == "double_away") return FixedRule::double_away;
  if (name == "double_up") return FixedRule::double_up;
  if (name == "single") return FixedRule::single;
  throw Error(layer.place, "found the fixed-point rule \"" + name + "\", expected double_away, double_up or single");
}

/// Everything about a group but its sum.
struct Numbers {
  float si, so;
  double ratio;  // si / so
  std::int64_t zi, zo, n;
  Range range;
  bool mean;
};

std::int64_t bounded(std::int64_t v, Range range, Events& events) {
  if (v < range.min || v > range.max) events |= event::clamped;
  return std::clamp(v, range.min, range.max);
}

FixedMultiplier divided(FixedMultiplier by, std::int64_t n) {
  const int log2 = 63 - std::countl_zero(static_cast<std::uint64_t>(n));
  const int h = std::min({log2, 32, 31 + by.shift});
  if (h < 0) return {0, 0};  // below 2^-32
  return {static_cast<std::int32_t>((Wide{by.m} << h) / n), by.shift - h};
}

std::int64_t multiplied(FixedRule rule, std::int64_t acc, FixedMultiplier by, Events& events) {
  bool tie = false, wrapped = acc != wrap32(acc);
  const std::int64_t v = multiply_fixed(rule, wrap32(acc), by, tie, wrapped);
  if (tie) events |= event::tie;
  if (wrapped) events |= event::wrapped;
  return v;
}

std::int64_t fixed(FixedRule rule, const Numbers& k, std::int64_t sum, Events& events) {
  const FixedMultiplier whole = quantize_multiplier(k.ratio);
  return bounded(multiplied(rule, sum - k.zi * k.n, k.mean ? divided(whole, k.n) : whole, events) + k.zo, k.range, events);
}

std::int64_t fixed_plane(FixedRule rule, const Numbers& k, std::int64_t sum, Events& events) {
  const float t = static_cast<float>(k.zi) * k.si / k.so, moved = t > 0 ? t + 0.5f : t - 0.5f;
  const std::int64_t bias = k.zo - to_integer(std::clamp(static_cast<double>(moved), -0x1p31, 0x1p31), Rounding::to_zero).value;
  const FixedMultiplier by = quantize_multiplier(static_cast<double>(k.si / (static_cast<float>(k.n) * k.so)));
  return bounded(multiplied(rule, sum, by, events) + bias, k.range, events);
}

std::int64_t float_away(const Numbers& k, std::int64_t sum, Events& events) {
  const float f = k.si / k.so, b = static_cast<float>(-k.zi) * f * static_cast<float>(k.n), v = static_cast<float>(sum) * f;
  return bounded(integer_of(v + b, Rounding::half_away, events) + k.zo, k.range, events);
}

std::int64_t float_even(const Numbers& k, std::int64_t sum, bool one_rounding, Events& events) {
  float f = k.si / k.so;
  if (k.mean) f = f * (1.0f / static_cast<float>(k.n));
  const float nz = static_cast<float>(k.n * k.zi), s = static_cast<float>(sum), zo = static_cast<float>(k.zo);
  const float moved = nz * f, b = zo - moved, v = s * f;
  return bounded(integer_of(one_rounding ? fused(s, f, b) : v + b, Rounding::half_even, events), k.range, events);
}

/// Both are possible.
void either(Computed& y, std::size_t o, std::int64_t a, std::int64_t b) {
  y.q[o] = static_cast<std::int32_t>(a);
  if (a == b) return;
  y.events[o] |= event::undefined;
  y.undefined.push_back({static_cast<std::int64_t>(o), static_cast<double>(std::min(a, b)), static_cast<double>(std::max(a, b))});
}

void float_sums(const Layer& layer, const Cell& cell, const Groups& g, Computed& y) {
  const Tensor &x = layer.in("x"), &out = layer.out();
  const QuantizeRule rule = quantize_rule(cell.get("rounding", "outside"), layer.place);
  const auto q = x.i32();
  const float si = static_cast<float>(x.q.scale_of(0)), n = static_cast<float>(g.size);
  const std::int64_t zi = x.q.integer_zero_point();
  const CascadeOrder order = cell.get("order") == "cascade" ? cascade_order(x, reduced_axes(layer, "dim", x.rank())) : CascadeOrder{};
  const bool known = order.kind != CascadeOrder::Kind::open;
  const auto& index = known ? order.index : g.index;
  std::vector<float> terms(static_cast<std::size_t>(g.size));
  for (std::size_t o = 0; o < y.q.size(); ++o) {
    for (std::size_t k = 0; k < terms.size(); ++k) terms[k] = si * static_cast<float>(q[static_cast<std::size_t>(index[o * terms.size() + k])] - zi);
    FloatRange sum = float_sum(terms);
    if (known) sum.lo = sum.hi = order.sum(terms, static_cast<std::int64_t>(o));
    const auto quantized = [&](float v, Events& events) { return quantize_value(rule, v / n, out.q.scale_of(0), out.q.zero_point_of(0), stored_range(out), events); };
    Events other = 0;
    const std::int64_t lo = quantized(sum.lo, y.events[o]);
    either(y, o, lo, quantized(sum.hi, other));
  }
}

/// The kernel that takes every array for one of uint8.
void bytes(const Layer& layer, FixedRule rule, const Groups& g, const Numbers& k, Computed& y) {
  const Tensor &x = layer.in("x"), &out = layer.out();
  const auto width = static_cast<std::size_t>(stored_bytes(out.dtype));
  std::vector<std::byte> written(static_cast<std::size_t>(g.count()));
  Numbers as_bytes = k;
  as_bytes.range = {0, 255};
  std::vector<Events> events(written.size());
  for (std::size_t o = 0; o < written.size(); ++o) {
    std::int64_t sum = 0;
    for (std::int64_t i = 0; i < g.size; ++i) sum += static_cast<std::int64_t>(x.data[g.index[o * static_cast<std::size_t>(g.size) + static_cast<std::size_t>(i)]]);
    written[o] = static_cast<std::byte>(fixed(rule, as_bytes, sum, events[o]));
  }
  const std::size_t whole = written.size() / width;
  std::vector<std::byte> padded = written;
  padded.resize(written.size() * width);
  const Tensor read = Tensor::of("y", out.dtype, g.shape, out.q, std::move(padded));
  for (std::size_t o = 0; o < written.size(); ++o) {
    y.q[o] = static_cast<std::int32_t>(read.integer(static_cast<std::int64_t>(o)));
    y.events[o] = events[o];
    if (o < whole) continue;
    y.events[o] |= event::undefined;
    y.undefined.push_back({static_cast<std::int64_t>(o), static_cast<double>(info(out.dtype).min), static_cast<double>(info(out.dtype).max)});
  }
}

template <bool mean>
Result run(const Layer& layer, const Cell& cell) {
  const Groups g = reduction_groups(layer);
  const Tensor &x = layer.in("x"), &out = layer.out();
  Result r;
  Computed& y = r.outputs["y"] = quantized_output(g.shape);
  const std::string& rule = cell.rule;
  if (rule == "float_sum") {
    float_sums(layer, cell, g, y);
    return r;
  }
  const Numbers k{static_cast<float>(x.q.scale_of(0)), static_cast<float>(out.q.scale_of(0)), x.q.scale_of(0) / out.q.scale_of(0),
                  x.q.integer_zero_point(), out.q.integer_zero_point(), g.size, stored_range(out), mean};
  const FixedRule single = fixed_rule(cell.get("fixed", "double_away"), layer), block = fixed_rule(cell.get("block", "double_up"), layer);
  if (rule == "fixed_bytes") {
    bytes(layer, single, g, k, y);
    return r;
  }
  const auto sums = group_sums(g, x);
  const bool open = cell.get("steps") == "either";
  const std::size_t channels = g.shape.empty() ? 1 : static_cast<std::size_t>(g.shape.back()), block_end = channels / 16 * 16;
  for (std::size_t o = 0; o < sums.size(); ++o) {
    Events& e = y.events[o];
    std::int64_t v = 0;
    Events other = 0;
    if (rule == "codes") v = bounded(integer_of(static_cast<float>(sums[o]) / static_cast<float>(g.size), Rounding::half_even, e), k.range, e);
    else if (rule == "full_kernel") v = bounded(integer_of(static_cast<float>(sums[o] - k.zi * g.size) * (k.si / (k.so * static_cast<float>(g.size))), Rounding::half_even, e) + k.zo, k.range, e);
    else if (rule == "float_away") v = float_away(k, sums[o], e);
    else if (rule == "float_even") v = float_even(k, sums[o], false, e);
    else if (rule == "fixed") v = fixed(single, k, sums[o], e);
    else if (rule == "fixed_planes") v = fixed_plane(o % channels < block_end ? block : single, k, sums[o], e);
    else throw InternalError("a sum by a rule it does not have");
    std::int64_t least = v, most = v;
    if (open && rule == "float_even") least = std::min(v, float_even(k, sums[o], true, other)), most = std::max(v, float_even(k, sums[o], true, other));
    if (open && rule.rfind("fixed", 0) == 0)
      for (const FixedRule way : {FixedRule::double_away, FixedRule::double_up, FixedRule::single}) {
        const std::int64_t rival = rule == "fixed" ? fixed(way, k, sums[o], other) : fixed_plane(way, k, sums[o], other);
        least = std::min(least, rival), most = std::max(most, rival);
      }
    either(y, o, least, most);
    y.q[o] = static_cast<std::int32_t>(v);
  }
  return r;
}

template <bool mean>
Real real(const Layer& layer, const Result&) {
  const auto g = std::make_shared<const Groups>(reduction_groups(layer));
  const Tensor& x = layer.in("x");
  const auto sums = std::make_shared<const std::vector<std::int64_t>>(group_sums(*g, x));
  return pointwise(g->count(), [g, sums, &x]<class T>(std::int64_t o) -> T {
    T sum = T(0.0);
    if constexpr (std::is_arithmetic_v<T>) {  // as by hand: every element dequantized, then added up
      for (std::int64_t i = 0; i < g->size; ++i) sum += dequantized<T>(x, g->index[static_cast<std::size_t>(o * g->size + i)]);
    } else {
      sum = T((*sums)[static_cast<std::size_t>(o)] - x.q.integer_zero_point() * g->size) * T(x.q.scale_of(0));
    }
    return mean ? sum / T(g->size) : sum;
  });
}

}  // namespace

Operator total(const std::string& name, bool mean) {
  return {.name = name,
          .families = {},
          .formula = mean ? "y = sum of (x - zx) * sx over dim / n" : "y = sum of (x - zx) * sx over dim",
          .inputs = {{"x", "uint8, int8, int16"}},
          .outputs = {{"y", "like x"}},
          .attributes = reduction_attributes(),
          .rules = mean ? std::vector<std::string>{"codes", "float_sum", "full_kernel", "fixed", "fixed_planes", "float_even"}
                        : std::vector<std::string>{"fixed", "fixed_bytes", "float_away", "float_even"},
          .check = check_reduction,
          .run = mean ? run<true> : run<false>,
          .real = mean ? real<true> : real<false>,
          .facts = reduction_facts};
}

}  // namespace lastbit
