// real_forms.cpp: see real_forms.hpp.
#include "verifier/real_forms.hpp"

#include <algorithm>
#include <cmath>

#include "verifier/parts.hpp"

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

bool mostly_integers(const Case& c, const Layer& of, const RealForm& form) {
  std::vector<std::int64_t> elements;
  if (c.together() > 1) elements = c.sample(asked / 2).elements;
  else for (std::int64_t k = 0, n = std::min(asked, c.size()); k < n; ++k) elements.push_back(k * (c.size() - 1) / std::max<std::int64_t>(1, n - 1));
  const auto real = c.real_values(of, c.has_parts() ? elements : std::vector<std::int64_t>{});
  std::size_t whole = 0;
  for (std::size_t k = 0; k < elements.size(); ++k) {
    const double scaled = form.scaled(*real.real, real.part ? real.place(k) : static_cast<std::size_t>(elements[k]), c.observed.scale_at(elements[k]));
    whole += std::abs(scaled - nearest(scaled)) <= (form.single ? error_f32 : error_f64) * std::abs(scaled);  // next to nothing is not zero
  }
  return 4 * whole > 3 * elements.size();
}

/// As to_integer(), which counts more: what is beside no half and no integer has one integer below it.
std::int64_t rounded_to(Rounding mode, double v) {
  if (std::abs(v) < 0x1p31) {
    const auto cut = static_cast<std::int64_t>(v), below = cut - (static_cast<double>(cut) > v);
    const double over = v - static_cast<double>(below);  // exact
    if (over != 0 && over != 0.5) {
      if (mode == Rounding::floor) return below;
      if (mode == Rounding::ceil) return below + 1;
      if (mode == Rounding::to_zero) return cut;
      if (mode == Rounding::half_even || mode == Rounding::half_away || mode == Rounding::half_up || mode == Rounding::half_down) return below + (over > 0.5);
    }
  }
  return to_integer(std::clamp(v, -0x1p60, 0x1p60), mode).value;
}

/// On which side of a boundary the exact value lies; kept for the next that asks.
int side_of(const Real& real, Case::Sides& known, std::size_t at, double boundary, double so, bool keep) {
  const auto asked = [&] { return static_cast<std::int8_t>(real.exact(static_cast<std::int64_t>(at)).compare_middle(Exact(boundary) * Exact(so))); };
  if (!keep) return asked();
  if (known.of.empty()) known.of.resize(real.f64.size());
  auto& side = known.of[at];
  if (!side && real.alike) {
    const auto [other, is_new] = known.alike.try_emplace(real.alike(static_cast<std::int64_t>(at)), std::int8_t{0});
    if (is_new) other->second = asked();
    side = other->second;
  }
  if (!side) side = asked();
  return *side;
}

/// Stored, and for a directed rounding what the same value a little smaller or larger comes to.
struct StoredReal {
  double value, low, high;
};

}  // namespace

Values rounded_real_values(const Case& c, const Layer& layer, const Layer& of, const RealRounding& how, const std::vector<std::int64_t>& elements) {
  const Tensor& y = layer.out(c.port);
  const Range range = activated_range(layer, y);
  const auto part = c.real_values(of, elements);
  const Real& real = *part.real;
  Values v;
  if (real.f32.size() != part.size(c.size()) || real.f64.size() != part.size(c.size())) return v;
  const bool either_side = is_directed(how.mode) && !mostly_integers(c, of, *how.form);
  std::optional<bool> fractions;
  const bool own_scale = y.q.scale == c.observed.q.scale;
  // A value that every mode rounds as the exact one: far from any boundary (a half) the float64 itself, else the boundary or a
  // quarter beside it.
  const auto decided = [&](std::size_t at, double so, double scaled) {
    if (!how.form->exact || !std::isfinite(scaled)) return scaled;
    const double boundary = nearest(2 * scaled) / 2;
    if (std::abs(scaled - boundary) > error_of(real_forms[3], scaled)) return scaled;
    if (!fractions) fractions = c.has_fractions(of);
    if (!*fractions) return scaled;
    return boundary + 0.25 * side_of(real, *part.sides, at, boundary, so, own_scale);
  };
  const bool one_scale = y.q.scale.size() == 1 && y.q.zero_point.size() <= 1;
  const double first_scale = y.q.scale_of(0), first_zero_point = y.q.zero_point_of(0);
  const auto stored = [&](std::size_t at, std::int64_t i) -> StoredReal {
    const double zo = one_scale ? first_zero_point : y.zero_point_at(i), so = one_scale ? first_scale : y.scale_at(i), scaled = decided(at, so, how.form->scaled(real, at, so));
    const auto as = [&](double x) {
      const double sum = how.form->single ? static_cast<double>(static_cast<float>(x) + static_cast<float>(zo)) : x + zo;
      const std::int64_t whole = rounded_to(how.mode, how.inside ? sum : x) + (how.inside ? 0 : static_cast<std::int64_t>(zo));
      return static_cast<double>(std::clamp(whole, range.min, range.max));
    };
    if (scaled != scaled) return {scaled, scaled, scaled};
    const double value = as(scaled), e = error_of(*how.form, scaled);
    // Farther from an integer than the error and a float32 sum with the zero point may come to, there is one side: 2^11 * 2^-24 and 2^12 * 2^-21.
    const bool beside = either_side && !(std::abs(scaled) < 0x1p11 && std::abs(zo) < 0x1p11 && std::abs(scaled - std::floor(scaled) - 0.5) < 0.5 - 0x1p-8);
    return beside ? StoredReal{value, as(scaled - e), as(scaled + e)} : StoredReal{value, value, value};
  };
  const std::vector<double>& observed = c.observed_values();
  const auto seen = [&](const StoredReal& s, std::int64_t i) {
    if (s.value != s.value) return c.expected_value(i);
    const double o = observed[static_cast<std::size_t>(i)];
    return o == s.low || o == s.high ? o : s.value;
  };
  const auto size = static_cast<std::size_t>(c.size());
  if (elements.empty() && part.part) {  // each combination once
    v.resize(size);
    const auto* place = part.part->at.data();
    if (either_side) {
      std::vector<StoredReal> all;
      for (std::size_t at = 0; at < real.f64.size(); ++at) all.push_back(stored(at, 0));
      for (std::size_t i = 0; i < size; ++i) v[i] = seen(all[place[i]], static_cast<std::int64_t>(i));
    } else {
      Values all;
      for (std::size_t at = 0; at < real.f64.size(); ++at) all.push_back(stored(at, 0).value);
      for (std::size_t i = 0; i < size; ++i) v[i] = all[place[i]];
      for (std::size_t i = 0; i < size; ++i)
        if (v[i] != v[i]) v[i] = c.expected_value(static_cast<std::int64_t>(i));
    }
  } else {
    const std::size_t n = elements.empty() ? size : elements.size();
    v.reserve(n);
    for (std::size_t k = 0; k < n; ++k) {
      const std::int64_t i = elements.empty() ? static_cast<std::int64_t>(k) : elements[k];
      v.push_back(seen(stored(part.part || elements.empty() ? part.place(k) : static_cast<std::size_t>(i), i), i));
    }
  }
  return v;
}

}  // namespace lastbit
