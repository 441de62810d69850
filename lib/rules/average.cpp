// average.cpp: see average.hpp.
//
//   aten/src/ATen/native/quantized/cpu/kernels/QuantizedOpKernels.cpp   do_avg_pool_nhwc_on_AVX_n, do_avg_pool_on_AVX_n
//   aten/src/ATen/native/quantized/cpu/AveragePool2d.cpp, AdaptiveAveragePooling.cpp
//   aten/src/ATen/native/quantized/cpu/qnnpack/src/average-pooling.c    the multiplier
//   onnxruntime/contrib_ops/cpu/quantization/qlinear_pool.cc            QLinearPoolNhwc2DTask and the planar ones
//   onnxruntime/core/mlas/lib/qlgavgpool.cpp                            MlasQLinearGlobalAveragePool
//   tflite/kernels/internal/reference/integer_ops/pooling.h             AveragePool
#include "lib/rules/average.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <utility>

#include "lib/error.hpp"
#include "lib/num/float.hpp"
#include "lib/rules/cascade_sum.hpp"
#include "lib/rules/float_sum.hpp"
#include "lib/rules/pointwise.hpp"
#include "lib/rules/quantize_value.hpp"
#include "lib/rules/window.hpp"

namespace lastbit {
namespace {

/// What a window's mean is divided by.
struct Divisor {
  bool padding = true, whole_kernel = false;
  std::int64_t fixed = 0;
  std::int64_t operator()(const Windows& w, std::int64_t position) const {
    return fixed ? fixed : padding ? (whole_kernel ? w.kernel_size() : window_padded(w, position)) : window_count(w, position);
  }
};

template <int dims, bool adaptive>
Windows windows_of(const Layer& layer) {
  return adaptive ? adaptive_windows(layer, dims) : pool_windows(layer, dims);
}

Divisor divisor_of(const Layer& layer) {
  Divisor d;
  d.padding = layer.attributes.boolean("count_include_pad", true);
  if (layer.attributes.has("divisor_override")) {
    d.fixed = layer.attributes.integer("divisor_override");
    if (d.fixed == 0 || d.fixed >= (std::int64_t{1} << 31) || d.fixed < -(std::int64_t{1} << 31))
      throw Error(layer.place + ": attribute \"divisor_override\"", "found " + std::to_string(d.fixed) + ", expected an int32 other than 0");
  }
  return d;
}

template <int dims, bool adaptive>
void check(const Layer& layer) {
  check_pool_input(layer, dims);
  windows_of<dims, adaptive>(layer);
  divisor_of(layer);
}

/// One window's numbers, for a rule.
struct Mean {
  std::int64_t sum, n, divisor, kernel, channel, channels;
  const Windows* windows;
  std::int64_t position;
};

/// A cell's rule, by its place among the names.
enum class How { channels, inside, codes, mean_codes, mean_float, full_kernel, float_sum, range, integer_away };
constexpr std::array<std::string_view, 9> rule_names{"channels", "inside", "codes", "mean_codes", "mean_float", "full_kernel", "float_sum", "range", "integer_away"};

How rule_of(const Cell& cell) {
  const auto it = std::find(rule_names.begin(), rule_names.end(), cell.rule);
  ensure(it != rule_names.end(), "a mean by a rule it does not have");
  return static_cast<How>(it - rule_names.begin());
}

class Rule {
 public:
  Rule(const Layer& layer, const Cell& cell, std::int64_t channels) : rule_(rule_of(cell)), range_(activated_range(layer, layer.out())) {
    const Quantization &x = layer.in("x").q, &y = layer.out().q;
    si_ = x.quantized() ? static_cast<float>(x.scale_of(0)) : 1.0f;
    so_ = y.quantized() ? static_cast<float>(y.scale_of(0)) : 1.0f;
    zi_ = x.integer_zero_point();
    zo_ = y.integer_zero_point();
    cascade_ = cell.get("order") == "cascade" && layer.in("x").size() < 32768;
    if (rule_ == How::mean_float) tail_ = quantize_rule(cell.get("rounding", "outside"), layer.place);
    if (rule_ == How::channels) {
      const std::string width = cell.get("width", "0");
      std::int64_t w = 0;
      std::from_chars(width.data(), width.data() + width.size(), w);
      body_end_ = w > 0 ? channels / w * w : 0;
      body_multiplies_ = cell.get("body", "multiply") == "multiply";
      if (!body_multiplies_) body_ = quantize_rule(cell.get("body"), layer.place);
      tail_ = quantize_rule(cell.get("tail", "outside"), layer.place);
    }
  }

  /// mean_float: the least and the greatest result of any order.
  std::array<std::int64_t, 2> any_order(const Mean& a, const std::vector<std::int32_t>& x, std::int64_t plane_start, Events& events) const {
    std::vector<float> terms;
    for_each_tap(*a.windows, a.position, [&](std::int64_t i) { terms.push_back(si_ * static_cast<float>(x[static_cast<std::size_t>(plane_start + i)] - zi_)); });
    FloatRange sum = float_sum(terms);
    // ATen reduces all positions of a channels last tensor at once: its channels are the columns.
    if (cascade_ && a.channels > 1) sum.lo = sum.hi = cascade_column(terms, a.channel, a.channels, cascade_block(a.channels));
    Events other = 0;
    const auto quantized = [&](float v, Events& e) { return quantize_value(tail_, v / static_cast<float>(a.n), static_cast<double>(so_), static_cast<double>(zo_), range_, e); };
    return {quantized(sum.lo, events), quantized(sum.hi, other)};
  }

  std::int64_t operator()(const Mean& a, const std::vector<std::int32_t>& x, std::int64_t plane_start, Events& events) const {
    const std::int64_t acc = a.sum - zi_ * a.n;
    if (rule_ == How::integer_away) {
      const std::int64_t half = a.n / 2;
      return bounded(a.sum > 0 ? (a.sum + half) / a.n : (a.sum - half) / a.n, events);
    }
    if (rule_ == How::codes) {
      const auto [d, h, w] = a.windows->at(a.position);
      const float r = 1.0f / static_cast<float>(d->count) / static_cast<float>(h->count) / static_cast<float>(w->count);
      return bounded(nearest(static_cast<float>(a.sum) * r, events), events);
    }
    if (rule_ == How::mean_codes) return bounded(nearest(static_cast<float>(a.sum) / static_cast<float>(a.n), events), events);
    if (rule_ == How::full_kernel || rule_ == How::range) {
      const float v = static_cast<float>(acc) * (si_ / (so_ * static_cast<float>(a.kernel)));
      if (rule_ == How::full_kernel) return bounded(nearest(v, events) + zo_, events);
      const float lo = static_cast<float>(range_.min - zo_), hi = static_cast<float>(range_.max - zo_);
      if (v < lo || v > hi) events |= event::clamped;
      return nearest(std::clamp(v, lo, hi), events) + zo_;
    }
    if (rule_ == How::float_sum) {
      float v = 0;
      for_each_tap(*a.windows, a.position, [&](std::int64_t i) { v = v + si_ * static_cast<float>(x[static_cast<std::size_t>(plane_start + i)] - zi_); });
      return bounded(nearest(v / static_cast<float>(a.divisor) / so_ + static_cast<float>(zo_), events), events);
    }
    const float m = si_ / so_ / static_cast<float>(a.divisor);
    ensure(rule_ == How::inside || rule_ == How::channels, "means of floats are made by any_order()");
    if (rule_ == How::inside) return bounded(nearest(static_cast<float>(acc) * m + static_cast<float>(zo_), events), events);
    if (a.channel < body_end_ && body_multiplies_) return bounded(nearest(static_cast<float>(acc) * m, events) + zo_, events);
    return quantize_value(a.channel < body_end_ ? body_ : tail_, static_cast<float>(acc), static_cast<double>(1.0f / m), static_cast<double>(zo_), range_, events);
  }

 private:
  static std::int64_t nearest(float v, Events& events) {
    const RoundedInteger r = to_integer(std::clamp(static_cast<double>(v), -0x1p31, 0x1p31), Rounding::half_even);
    if (r.lost == Lost::half) events |= event::tie;
    return r.value;
  }
  std::int64_t bounded(std::int64_t v, Events& events) const {
    if (v < range_.min || v > range_.max) events |= event::clamped;
    return std::clamp(v, range_.min, range_.max);
  }

  How rule_;
  Range range_;
  float si_ = 1, so_ = 1;
  std::int64_t zi_ = 0, zo_ = 0, body_end_ = 0;
  bool body_multiplies_ = true, cascade_ = false;
  QuantizeRule body_{}, tail_{};
};

template <int dims, bool adaptive>
Result run(const Layer& layer, const Cell& cell) {
  const Windows w = windows_of<dims, adaptive>(layer);
  Divisor divisor = divisor_of(layer);
  divisor.whole_kernel = !adaptive && cell.get("divisor", "padded") == "kernel";
  const Rule rule(layer, cell, w.channels);
  const auto x = layer.in("x").i32();
  const auto sums = window_sums(w, x);
  const bool any_order = rule_of(cell) == How::mean_float;
  Result r;
  Computed& y = r.outputs["y"] = quantized_output(w.shape);
  const std::int64_t positions = w.positions();
  std::vector<std::int64_t> counts, divisors;  // alike in every plane
  for (std::int64_t p = 0; p < positions; ++p) counts.push_back(window_count(w, p)), divisors.push_back(divisor(w, p));
  for (std::int64_t plane = 0; plane < w.planes; ++plane)
    for (std::int64_t p = 0; p < positions; ++p) {
      const auto at = static_cast<std::size_t>(plane * positions + p);
      const std::int64_t n = counts[static_cast<std::size_t>(p)];
      if (n == 0 && !divisor.padding && !divisor.fixed) {  // nothing to divide by: the source has no answer
        const Range range = stored_range(layer.out());
        y.undefined.push_back({static_cast<std::int64_t>(at), static_cast<double>(range.min), static_cast<double>(range.max)});
        y.events[at] |= event::undefined;
        continue;
      }
      const Mean mean{sums[at], n, divisors[static_cast<std::size_t>(p)], adaptive ? n : w.kernel_size(), plane % w.channels, w.channels, &w, p};
      if (any_order) {
        const auto [lo, hi] = rule.any_order(mean, x, plane * w.in_positions(), y.events[at]);
        y.q[at] = static_cast<std::int32_t>(lo);
        if (lo == hi) continue;
        y.events[at] |= event::undefined;
        y.undefined.push_back({static_cast<std::int64_t>(at), static_cast<double>(lo), static_cast<double>(hi)});
        continue;
      }
      y.q[at] = static_cast<std::int32_t>(rule(mean, x, plane * w.in_positions(), y.events[at]));
    }
  return r;
}

/// The sums of a layer's windows, and what they are divided by, which every plane has alike.
struct Means {
  std::vector<std::int64_t> sums, counts, divisors;  // sums: of codes, by element; the others by position
  double scale;
  std::int64_t zero_point;
  std::size_t position(std::int64_t o) const { return static_cast<std::size_t>(o) % counts.size(); }
  template <class T>
  T real(std::int64_t o) const {
    const std::size_t p = position(o);
    return T(sums[static_cast<std::size_t>(o)] - zero_point * counts[p]) * T(scale) / T(divisors[p]);
  }
};

/// As by hand: every element dequantized, then added up.
template <class T>
std::vector<T> means_by_hand(const Windows& w, const Tensor& x, const std::vector<std::int64_t>& divisors) {
  std::vector<T> numbers(static_cast<std::size_t>(x.size()));
  if (info(x.dtype).bits == 8 && x.q.scale.size() == 1) {  // a byte's number is made once
    std::array<std::optional<T>, 256> known;
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      auto& k = known[std::to_integer<std::size_t>(x.data[i])];
      if (!k) k = dequantized<T>(x, static_cast<std::int64_t>(i));
      numbers[i] = *k;
    }
  } else {
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = dequantized<T>(x, static_cast<std::int64_t>(i));
  }
  std::vector<T> y = window_sums(w, numbers);
  for (std::size_t o = 0; o < y.size(); ++o) y[o] = y[o] / static_cast<T>(divisors[o % divisors.size()]);
  return y;
}

template <int dims, bool adaptive>
Real real(const Layer& layer, const Result&) {
  const Windows w = windows_of<dims, adaptive>(layer);
  const Tensor& x = layer.in("x");
  const Divisor divisor = divisor_of(layer);
  const auto means = std::make_shared<Means>(Means{window_sums(w, x.i32()), {}, {}, x.q.quantized() ? x.q.scale_of(0) : 1.0, x.q.integer_zero_point()});
  std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> pairs;  // of a count and a divisor: few occur
  std::vector<std::int64_t> pair_at;
  for (std::int64_t p = 0; p < w.positions(); ++p) {
    means->counts.push_back(window_count(w, p));
    means->divisors.push_back(std::max<std::int64_t>(divisor(w, p), divisor.fixed < 0 ? divisor.fixed : 1));
    pair_at.push_back(pairs.try_emplace({means->counts.back(), means->divisors.back()}, static_cast<std::int64_t>(pairs.size())).first->second);
  }
  Real r;
  r.f32 = means_by_hand<float>(w, x, means->divisors);
  r.f64 = means_by_hand<double>(w, x, means->divisors);
  for (std::size_t o = 0; o < means->sums.size(); ++o) {
    const Tracked t = means->real<Tracked>(static_cast<std::int64_t>(o));
    r.approx.push_back(t.value), r.bound.push_back(t.error);
  }
  r.exact = [means](std::int64_t o) { return means->real<Exact>(o); };
  if (info(x.dtype).bits > 8 || w.positions() >= std::int64_t{1} << 24) return r;
  r.alike = [means, pair_at, count = static_cast<std::int64_t>(pairs.size())](std::int64_t o) {
    return means->sums[static_cast<std::size_t>(o)] * count + pair_at[means->position(o)];  // fewer than 2^31 taps of a byte each
  };
  return r;
}

/// Planes, unless a channel's number, or how large the input is, decides.
template <int dims>
std::size_t row_axes(const Layer& layer, const Cell* cell) {
  const std::size_t all = layer.in("x").shape.size() - dims;
  if (!cell) return all;
  if (cell->get("order") == "cascade") return 0;
  return cell->get("width", "0") == "0" ? all : all - 1;
}

template <int dims>
void facts(const Layer& layer, std::set<std::string>& f) {
  pool_facts(layer, dims, f);
}

template <int dims, bool adaptive>
Operator make() {
  std::vector<AttributeSpec> attributes = pool_attributes(false, true);
  if (adaptive) attributes = {{"output_size", "integers >= 1, one per spatial axis"}, attributes.back()};
  return {.name = (adaptive ? "adaptive_avg_pool" : "avg_pool") + std::to_string(dims) + "d",
          .families = {adaptive ? "adaptive_avg_pool" : "avg_pool"},
          .formula = "y = mean over the window of (x - zx) * sx",
          .inputs = {{"x", "uint8, int8 [(N,) C, spatial]"}},
          .outputs = {{"y", "like x"}},
          .attributes = std::move(attributes),
          .rules = {rule_names.begin(), rule_names.end()},
          .spatial = true,
          .check = check<dims, adaptive>,
          .run = run<dims, adaptive>,
          .real = real<dims, adaptive>,
          .row_axes = row_axes<dims>,
          .facts = facts<dims>};
}

}  // namespace

Operator average_pool(int dims) { return dims == 1 ? make<1, false>() : dims == 2 ? make<2, false>() : make<3, false>(); }
Operator adaptive_average_pool(int dims) { return dims == 1 ? make<1, true>() : dims == 2 ? make<2, true>() : make<3, true>(); }

}  // namespace lastbit
