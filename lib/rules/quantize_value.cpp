// quantize_value.cpp: see quantize_value.hpp.
#include "lib/rules/quantize_value.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "lib/error.hpp"
#include "lib/num/float.hpp"

namespace lastbit {
namespace {

constexpr std::array<std::string_view, 16> names{"inside_fused", "inside", "inside_wrap", "outside", "outside_int64", "divide_even", "divide_even_wrap", "divide_away", "inverse_away", "divide_away_f64",
                                                 "reciprocal_f64", "inside_f64", "multiply_away", "inside_nan_zero", "inside_reciprocal", "outside_wrap"};

std::int64_t clamp_to(std::int64_t v, Range r, Events& events) {
  if (v < r.min || v > r.max) events |= event::clamped;
  return std::clamp(v, r.min, r.max);
}

/// rne of a finite or infinite float, saturated far outside any stored range.
std::int64_t nearest(double v, Events& events, Rounding mode = Rounding::half_even) {
  const RoundedInteger r = to_integer(std::clamp(v, -0x1p61, 0x1p61), mode);
  if (r.lost == Lost::half) events |= event::tie;
  return r.value;
}

// FORM/MODE: rounded otherwise than a runtime does it. Such rules lie above the named ones: first + 8 * form + mode.
constexpr std::array<std::string_view, 5> forms{"inside_fused", "inside", "outside", "divide", "divide_inside"};
constexpr int first_form = 64;

std::int64_t by_form(int form, Rounding mode, float x, double scale, double zero_point, Range range, Events& events) {
  const float s = static_cast<float>(scale), inv = inverse(s), zf = static_cast<float>(zero_point), divided = x / s, scaled = x * inv;
  const float v = form == 0 ? fused(x, inv, zf) : form == 1 ? scaled + zf : form == 2 ? scaled : form == 3 ? divided : divided + zf;
  const bool after = form == 2 || form == 3;
  if (v != v) return clamp_to(static_cast<std::int64_t>(zero_point), range, events);
  return clamp_to(nearest(static_cast<double>(v), events, mode) + (after ? static_cast<std::int64_t>(zero_point) : 0), range, events);
}

}  // namespace

QuantizeRule quantize_rule(const std::string& name, const std::string& place) {
  if (const auto cut = name.find('/'); cut != std::string::npos) {
    const auto form = std::find(forms.begin(), forms.end(), name.substr(0, cut));
    const auto mode = std::find(rounding_names.begin(), rounding_names.end(), name.substr(cut + 1));
    if (form == forms.end() || mode == rounding_names.end()) throw Error(place, "found the quantize rule \"" + name + "\", expected inside_fused, inside, outside, divide or divide_inside, a slash and a rounding");
    return static_cast<QuantizeRule>(first_form + 8 * static_cast<int>(form - forms.begin()) + static_cast<int>(mode - rounding_names.begin()));
  }
  const auto it = std::find(names.begin(), names.end(), name);
  if (it == names.end()) {
    std::string known;
    for (const auto n : names) known += (known.empty() ? "" : ", ") + std::string(n);
    throw Error(place, "found the quantize rule \"" + name + "\", expected one of " + known);
  }
  return static_cast<QuantizeRule>(it - names.begin());
}

std::int64_t quantize_value(QuantizeRule rule, float x, double scale, double zero_point, Range range, Events& events) {
  const float s = static_cast<float>(scale), inv = inverse(s), zf = static_cast<float>(zero_point);
  const auto z = static_cast<std::int64_t>(zero_point);
  if (const int number = static_cast<int>(rule); number >= first_form)
    return by_form((number - first_form) / 8, static_cast<Rounding>((number - first_form) % 8), x, scale, zero_point, range, events);
  switch (rule) {
    case QuantizeRule::inside_nan_zero: {
      const float v = fused(x, inv, zf);
      return clamp_to(v != v ? 0 : nearest(v, events), range, events);
    }
    case QuantizeRule::inside_fused: {
      const float t = fused(x, inv, zf);
      const float v = t < 2147483520.0f ? t : 2147483520.0f;  // minps: NaN becomes the bound
      return clamp_to(v >= -2147483648.0f ? nearest(v, events) : std::numeric_limits<std::int32_t>::min(), range, events);
    }
    case QuantizeRule::inside: case QuantizeRule::inside_reciprocal: {
      const float scaled = x * (rule == QuantizeRule::inside ? inv : static_cast<float>(1.0 / scale));
      const float v = scaled + zf;
      if (v != v) return range.min == std::numeric_limits<std::int32_t>::min() ? range.min : 0;
      return clamp_to(nearest(v, events), range, events);
    }
    case QuantizeRule::inside_wrap: {
      const float scaled = x * inv;
      const float v = scaled + zf;
      if (!(std::fabs(v) < 0x1p61f)) return clamp_to(0, range, events);  // a multiple of 2^32, or INT64_MIN
      return clamp_to(wrap32(nearest(v, events)), range, events);
    }
    case QuantizeRule::outside: {
      const float v = x * inv;
      if (v != v) return clamp_to(z, range, events);
      return clamp_to(nearest(v, events) + z, range, events);
    }
    case QuantizeRule::outside_wrap: {
      const float v = x * inv;
      return clamp_to(wrap32(static_cast<std::int64_t>(saturate(v != v ? 0 : nearest(v, events), 32)) + z), range, events);
    }
    case QuantizeRule::outside_int64: {
      const float v = x * inv;
      if (!(std::fabs(v) < 0x1p63f)) return clamp_to(std::numeric_limits<std::int64_t>::min(), range, events);
      const float moved = static_cast<float>(nearest(v, events)) + static_cast<float>(z);
      return clamp_to(nearest(static_cast<double>(moved), events), range, events);
    }
    case QuantizeRule::divide_even: {
      const float v = x / s, lo = static_cast<float>(range.min - z), hi = static_cast<float>(range.max - z);
      if (v < lo || v > hi) events |= event::clamped;
      const float low = v > lo ? v : lo;
      return nearest(low < hi ? low : hi, events) + z;
    }
    case QuantizeRule::divide_even_wrap: {
      const float v = x / s;
      const std::int64_t whole = v >= -2147483648.0f && v < 2147483648.0f ? nearest(v, events) : std::numeric_limits<std::int32_t>::min();
      return clamp_to(wrap32(whole + z), range, events);
    }
    case QuantizeRule::divide_away_f64: {
      const double v = static_cast<double>(x) / scale;
      if (v != v) return clamp_to(z, range, events);
      return clamp_to(nearest(v, events, Rounding::half_away) + z, range, events);
    }
    case QuantizeRule::inside_f64: {
      const double v = static_cast<double>(x) * (1.0 / scale) + zero_point;
      if (v != v) return clamp_to(0, range, events);
      return clamp_to(nearest(v, events), range, events);
    }
    case QuantizeRule::multiply_away: {
      const float v = x * s;
      if (v != v) return clamp_to(range.min, range, events);
      return clamp_to(nearest(v, events, Rounding::half_away) + z, range, events);
    }
    case QuantizeRule::divide_away: case QuantizeRule::inverse_away: {
      const float v = rule == QuantizeRule::divide_away ? x / s : x * inv;
      if (v != v) return clamp_to(z, range, events);
      return clamp_to(nearest(v, events, Rounding::half_away) + z, range, events);
    }
    case QuantizeRule::reciprocal_f64: {
      const float v = x * static_cast<float>(1.0 / scale);
      if (v != v) return 0;
      const float whole = std::fabs(v) < 0x1p62f ? static_cast<float>(nearest(v, events)) : v;
      const float moved = whole + zf, inside = std::clamp(moved, static_cast<float>(range.min), static_cast<float>(range.max));
      if (inside != moved) events |= event::clamped;
      return static_cast<std::int64_t>(inside);
    }
  }
  throw InternalError("a quantize rule of no kind");
}

}  // namespace lastbit
