// forms.cpp: see forms.hpp.
#include "verifier/forms.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "lib/num/float.hpp"
#include "reports/rounded.hpp"

namespace lastbit {
namespace {

struct Output {
  const Tensor& y;
  Range range;
  bool floats;
  double scale(std::int64_t i) const { return y.q.quantized() ? y.scale_at(i) : 1.0; }
  double zero_point(std::int64_t i) const { return y.q.quantized() ? y.zero_point_at(i) : 0.0; }
};

Output output_of(const Layer& layer) {
  const Tensor& y = layer.out("y");
  return {y, activated_range(layer, y), is_float(y.dtype)};
}

template <class T>
std::int64_t by_hand(const Output& o, T value, std::int64_t i) {
  const T t = value / static_cast<T>(o.scale(i));
  if (t != t) return o.range.min;
  const double bounded = std::clamp(static_cast<double>(t), -0x1p60, 0x1p60);
  return std::clamp(rne(bounded) + static_cast<std::int64_t>(o.zero_point(i)), o.range.min, o.range.max);
}

/// Spacing of float32 at v.
double ulp(float v) {
  const float size = std::fabs(v);
  if (!std::isfinite(size)) return 1;
  const auto bits = std::bit_cast<std::uint32_t>(size);
  return static_cast<double>(std::bit_cast<float>(bits + 1)) - static_cast<double>(size);
}

}  // namespace

void add_to_histogram(std::vector<std::int64_t>& bins, double error, std::int64_t times) {
  if (bins.empty()) bins.assign(40, 0);
  const std::int64_t millionths = rne(std::clamp(error, -2.0, 2.0) * 1e6) + 1000000;
  bins[static_cast<std::size_t>(std::clamp<std::int64_t>(millionths / 50000, 0, 39))] += times;
}

FloatSummary float_form(const Layer& layer, const Real& real, std::span<const std::int64_t> times) {
  FloatSummary s;
  if (real.f32.empty()) return s;
  const Output o = output_of(layer);
  std::int64_t n = 1;
  const auto count_error = [&n](std::int64_t error, std::int64_t& mismatches, std::int64_t& largest) {
    if (error) mismatches += n, largest = std::max(largest, std::abs(error));
  };
  for (std::size_t k = 0; k < real.f32.size(); ++k) {
    if (!times.empty() && (n = times[k]) == 0) continue;
    const auto i = static_cast<std::int64_t>(k);
    if (o.floats) {
      const float observed = static_cast<float>(o.y.value(i));
      if (observed != observed) continue;
      count_error(real.f32[k] == real.f32[k] ? ordinal(observed) - ordinal(real.f32[k]) : 1, s.mismatches, s.max_lsb);
      count_error(real.f64[k] == real.f64[k] ? ordinal(observed) - ordinal(static_cast<float>(real.f64[k])) : 1, s.float64_mismatches, s.float64_max_lsb);
    } else {
      const std::int64_t observed = o.y.integer(i);
      count_error(observed - by_hand(o, real.f32[k], i), s.mismatches, s.max_lsb);
      count_error(observed - by_hand(o, real.f64[k], i), s.float64_mismatches, s.float64_max_lsb);
    }
  }
  return s;
}

ExactSummary exact_form(const Layer& layer, const Computed& y, const Real& real, std::span<const std::int64_t> times) {
  ExactSummary s;
  const auto& value = real.filter();
  if (value.empty()) return s;
  const Output o = output_of(layer);
  double sum = 0;
  std::int64_t counted = 0;
  for (std::size_t k = 0; k < value.size(); ++k) {
    const auto i = static_cast<std::int64_t>(k);
    const std::int64_t n = times.empty() ? 1 : times[k];
    if (n == 0 || !std::isfinite(value[k])) continue;
    if (o.floats) {
      if (!std::isfinite(y.f[k])) continue;
      const double lsb = ulp(y.f[k]), error = (static_cast<double>(y.f[k]) - value[k]) / lsb;
      s.max_error_lsb = std::max(s.max_error_lsb, std::fabs(error));
      sum += static_cast<double>(n) * error;
      add_to_histogram(s.histogram, error, n);
      counted += n;
      const double slack = real.bound[k] / lsb + 1e-9;
      if (std::fabs(error) > 0.75 + slack) s.not_correctly_rounded += n;
      else if (std::fabs(error) > 0.25 - slack && std::isfinite(real.bound[k])) {
        const Exact exact = real.exact(i);
        s.not_correctly_rounded += static_cast<float>(exact.to_double()) != y.f[k] ? n : 0;
      }
      continue;
    }
    const double so = o.scale(i), zo = o.zero_point(i);
    const double v = value[k] / so + zo, bound = real.bound[k] / so + (std::fabs(v) + std::fabs(zo)) * 0x1p-51;
    const auto lo = static_cast<double>(o.range.min), hi = static_cast<double>(o.range.max), q = static_cast<double>(y.q[k]);
    const double error = q - std::clamp(v, lo, hi);
    s.max_error_lsb = std::max(s.max_error_lsb, std::fabs(error));
    sum += static_cast<double>(n) * error;
    add_to_histogram(s.histogram, error, n);
    counted += n;
    if (v < lo - 1 - bound || v > hi + 1 + bound) {  // far outside: the clamp decides
      s.not_correctly_rounded += q != (v < lo ? lo : hi) ? n : 0;
      continue;
    }
    const double to_boundary = std::fabs(v - std::floor(v) - 0.5);
    if (to_boundary > bound) {
      s.not_correctly_rounded += std::clamp(std::floor(v + 0.5), lo, hi) != q ? n : 0;
      continue;
    }
    // Within the filter's doubt of a boundary: v = floor(v) + 1/2 exactly, below or above.
    const double floor = std::floor(v);
    const Exact boundary = (Exact(floor) + Exact(0.5) - Exact(zo)) * Exact(so), exact = real.exact(i);
    if (exact.same_point(boundary)) {
      s.ties += n;
      s.not_correctly_rounded += std::clamp(floor, lo, hi) != q && std::clamp(floor + 1, lo, hi) != q ? n : 0;
    } else {
      s.not_correctly_rounded += std::clamp(exact.compare_middle(boundary) < 0 ? floor : floor + 1, lo, hi) != q ? n : 0;
    }
  }
  s.max_error_lsb = rounded(s.max_error_lsb);
  s.mean_error_lsb = rounded(counted ? sum / static_cast<double>(counted) : 0);
  return s;
}

std::string exact_text(const Layer& layer, const Real& real, std::int64_t i) {
  if (real.filter().empty() || !std::isfinite(real.filter()[static_cast<std::size_t>(i)])) return "";
  const Output o = output_of(layer);
  if (o.floats) return real.exact(i).decimal(12);
  return (real.exact(i) / Exact(o.scale(i)) + Exact(o.zero_point(i))).decimal(12);
}

}  // namespace lastbit
