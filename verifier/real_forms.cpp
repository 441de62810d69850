// real_forms.cpp: see real_forms.hpp.
#include "verifier/real_forms.hpp"

#include <algorithm>
#include <cmath>

namespace lastbit {

const std::array<RealForm, 4> real_forms{{
    {"float32, divided by the scale", true, false, [](const Real& r, std::size_t i, double so) { return static_cast<double>(r.f32[i] / static_cast<float>(so)); }},
    {"float32, multiplied by the scale's reciprocal", true, false, [](const Real& r, std::size_t i, double so) { return static_cast<double>(r.f32[i] * (1.0f / static_cast<float>(so))); }},
    {"float64", false, false, [](const Real& r, std::size_t i, double so) { return r.f64[i] / so; }},
    {"exact arithmetic", false, true, [](const Real& r, std::size_t i, double so) { return r.f64[i] / so; }},
}};

bool has_real_forms(const Case& c) {
  return c.op.real && c.port == "y" && !is_float(c.observed.dtype) && c.observed.q.quantized() && !c.observed.q.float_zero_point;
}

namespace {

constexpr double error_f32 = 0x1p-21, error_f64 = 0x1p-40;          // of a value in stored units, relative to it and to 1
constexpr std::int64_t asked = 64;                                  // values that tell whether anything was rounded

bool is_directed(Rounding mode) { return mode == Rounding::floor || mode == Rounding::ceil || mode == Rounding::to_zero; }
double error_of(const RealForm& form, double scaled) { return (form.single ? error_f32 : error_f64) * (1 + std::abs(scaled)); }

double nearest(double v) { return static_cast<double>(rne(std::clamp(v, -0x1p60, 0x1p60))); }

bool mostly_integers(const Case& c, const Real& real, const RealForm& form) {
  std::int64_t whole = 0;
  const std::int64_t n = std::min(asked, c.size());
  for (std::int64_t k = 0; k < n; ++k) {
    const std::int64_t i = k * (c.size() - 1) / std::max<std::int64_t>(1, n - 1);
    const double scaled = form.scaled(real, static_cast<std::size_t>(i), c.observed.scale_at(i));
    whole += std::abs(scaled - nearest(scaled)) <= (form.single ? error_f32 : error_f64) * std::abs(scaled);  // next to nothing is not zero
  }
  return 4 * whole > 3 * n;
}

/// A value that every mode rounds as the exact one: far from any boundary (a half) the float64 itself, else the boundary or a
/// quarter beside it.
double decided(const Real& real, std::int64_t i, double so, double scaled) {
  const double boundary = nearest(2 * scaled) / 2;
  if (std::abs(scaled - boundary) > error_of(real_forms[3], scaled)) return scaled;
  const int side = (real.exact(i) / Exact(so)).compare_middle(Exact(boundary));
  return boundary + 0.25 * side;
}

}  // namespace

Values rounded_real_values(const Case& c, const Layer& layer, const Real& real, const RealRounding& how, const std::vector<std::int64_t>& elements) {
  const Tensor& y = layer.out(c.port);
  const Range range = activated_range(layer, y);
  Values v;
  if (static_cast<std::int64_t>(real.f32.size()) != c.size() || static_cast<std::int64_t>(real.f64.size()) != c.size()) return v;
  // Values that are no fractions (exponentials, roots) have no ties that a runtime could see, and cost most.
  const auto finite = std::find_if(real.f64.begin(), real.f64.end(), [](double x) { return std::isfinite(x); });
  const bool exact = how.form->exact && real.exact && finite != real.f64.end() && real.exact(finite - real.f64.begin()).is_point();
  const bool either_side = is_directed(how.mode) && !mostly_integers(c, real, *how.form);
  const auto one = [&](std::int64_t i) {
    const double zo = y.zero_point_at(i), near = how.form->scaled(real, static_cast<std::size_t>(i), y.scale_at(i));
    const double scaled = exact && std::isfinite(near) ? decided(real, i, y.scale_at(i), near) : near;
    if (scaled != scaled) return c.expected_value(i);
    const auto stored = [&](double x) {
      const double sum = how.form->single ? static_cast<double>(static_cast<float>(x) + static_cast<float>(zo)) : x + zo;
      const std::int64_t whole = to_integer(std::clamp(how.inside ? sum : x, -0x1p60, 0x1p60), how.mode).value + (how.inside ? 0 : static_cast<std::int64_t>(zo));
      return static_cast<double>(std::clamp(whole, range.min, range.max));
    };
    if (either_side) {
      const double e = error_of(*how.form, scaled), o = c.observed_value(i);
      if (o == stored(scaled - e) || o == stored(scaled + e)) return o;
    }
    return stored(scaled);
  };
  if (elements.empty()) for (std::int64_t i = 0; i < c.size(); ++i) v.push_back(one(i));
  for (const auto i : elements) v.push_back(one(i));
  return v;
}

}  // namespace lastbit
