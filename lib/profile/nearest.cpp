// nearest.cpp: see nearest.hpp.
#include "lib/profile/nearest.hpp"

#include <algorithm>
#include <cmath>

#include "lib/num/fixed.hpp"
#include "lib/num/float.hpp"
#include "lib/profile/requantize_steps.hpp"

namespace lastbit {

using namespace requantizing;

namespace {

constexpr double single = 0x1.01p-24, wide = 0x1.01p-53, int32_end = 0x1p31;

bool rounds_twice(FixedRule r) { return r == FixedRule::double_away || r == FixedRule::double_up || r == FixedRule::floor_up || r == FixedRule::double_away_saturating; }

bool to_nearest(Rounding r) { return r == Rounding::half_even || r == Rounding::half_away || r == Rounding::half_up || r == Rounding::half_down; }

}  // namespace

std::optional<Nearest> nearest_of(const Requantizer& stages, const std::vector<double>& most, double reach) {
  const RequantizeContext& context = stages.context();
  const std::size_t n = context.channels.size();
  std::vector<double> m(n, 1.0), a(n, 0.0), error(n, 0.0), after(n, 0.0);
  double unit = wide;
  bool integer = true, rounded = false, bounded = false, ranged = false;
  const auto size = [&](std::size_t i, double at) { return std::fabs(m[i]) * at + std::fabs(a[i]); };
  const auto constant = [&](double v) { return unit == single ? static_cast<double>(static_cast<float>(v)) : v; };
  /// Whether f holds of every channel.
  const auto every = [n](auto f) {
    bool all = true;
    for (std::size_t i = 0; i < n; ++i) all = f(i) && all;
    return all;
  };
  for (const auto& step : stages.state().steps) {
    const Step& s = *step;
    const auto first = [&](std::size_t i) { return of(s.a, static_cast<std::int64_t>(i)); };
    const auto second = [&](std::size_t i) { return of(s.b, static_cast<std::int64_t>(i)); };
    bool holds = true;
    if (s.verb == Verb::bias || s.verb == Verb::bias64) {
      holds = integer && !rounded && every([&](std::size_t i) {
        a[i] += static_cast<double>(rne(std::clamp(first(i), -0x1p61, 0x1p61)));
        return s.verb != Verb::bias || size(i, reach) < int32_end;
      });
    } else if (s.verb == Verb::to_float || s.verb == Verb::to_double) {
      if (!integer || rounded) return std::nullopt;
      integer = false;
      unit = s.verb == Verb::to_float ? single : wide;
      for (std::size_t i = 0; i < n; ++i) error[i] += size(i, most[i]) * unit;
    } else if (s.verb == Verb::multiply || s.verb == Verb::divide) {
      if (integer) return std::nullopt;
      for (std::size_t i = 0; i < n; ++i) {
        const double c = s.verb == Verb::multiply ? constant(first(i)) : 1 / constant(first(i));
        m[i] *= c, a[i] *= c;
        error[i] = error[i] * std::fabs(c) + size(i, most[i]) * unit;
      }
    } else if (s.verb == Verb::add || s.verb == Verb::fma) {
      if (integer) return std::nullopt;
      for (std::size_t i = 0; i < n; ++i) {
        const double c = s.verb == Verb::add ? constant(first(i)) : constant(first(i)) * constant(second(i));
        a[i] += c;
        error[i] += (size(i, most[i]) + std::fabs(c)) * unit;
      }
    } else if (s.verb == Verb::muladd) {
      if (integer) return std::nullopt;
      for (std::size_t i = 0; i < n; ++i) {
        const double c = constant(first(i)), d = constant(second(i));
        m[i] *= c, a[i] = a[i] * c + d;
        error[i] = error[i] * std::fabs(c) + (size(i, most[i]) + std::fabs(d)) * unit;
      }
    } else if (s.verb == Verb::activation) {
      // What relu cuts below 0 ends at the zero point, which the clamp does not let anything fall below either.
      holds = context.activation != "leaky_relu" && context.activation != "tanh" &&
              (context.activation != "relu" || every([&](std::size_t i) { return context.channels[i].at("zo") <= static_cast<double>(context.min); }));
    } else if (s.verb == Verb::fixed) {
      // Vector lanes and what is left over, R/N/TAIL: both round twice, or it is not known.
      const bool twice = rounds_twice(s.fixed) && rounds_twice(s.tail), one = s.fixed == s.tail, rndnu = one && s.fixed == FixedRule::rndnu, q8 = one && s.fixed == FixedRule::q8;
      if (!integer || rounded || !(twice || rndnu || q8 || (one && s.fixed == FixedRule::single))) return std::nullopt;
      holds = every([&](std::size_t i) {
        const FixedMultiplier by = rndnu ? rndnu_multiplier(static_cast<float>(first(i))) : q8 ? q8_multiplier(static_cast<float>(first(i))) : of(s.multiplier, static_cast<std::int64_t>(i));
        if (by.m < 0 || by.shift > 30 || by.shift < -62 || size(i, reach) * power_of_two(std::max(by.shift, 0)) >= int32_end) return false;
        const double c = value(by);
        m[i] *= c, a[i] *= c;
        error[i] = error[i] * c + size(i, most[i]) * wide + (twice ? power_of_two(std::min(by.shift, 0)) : 0);
        return true;
      });
      rounded = true;
    } else if (s.verb == Verb::round) {
      if (integer || !to_nearest(s.rounding)) return std::nullopt;
      holds = s.overflow == Overflow::exact || bounded || every([&](std::size_t i) { return size(i, reach) * 1.001 + error[i] < int32_end; });
      rounded = integer = true;
    } else if (s.verb == Verb::zero_point) {
      ranged = false;
      for (std::size_t i = 0; i < n; ++i) {
        const double zo = context.channels[i].at("zo");
        (rounded ? after : a)[i] += zo;
        if (!integer) error[i] += (size(i, most[i]) + std::fabs(zo)) * unit;
      }
    } else if (s.verb == Verb::saturate16) {
      // What it cuts lies far outside a stored range of 8 bits, and is clamped all the same.
      holds = bounded || (context.min >= -1000 && context.max <= 1000 && every([&](std::size_t i) { return std::fabs(context.channels[i].at("zo")) <= 1000; })) ||
              every([&](std::size_t i) { return size(i, reach) * 1.001 + error[i] < 32000; });
    } else if (s.verb == Verb::range || s.verb == Verb::clamp) {
      bounded = true;
      ranged = ranged || s.verb == Verb::range;
    } else {
      return std::nullopt;
    }
    if (!holds) return std::nullopt;
  }
  if (!rounded || ranged || !bounded) return std::nullopt;
  const bool finite = every([&](std::size_t i) {
    error[i] += size(i, most[i]) * 0x1p-48;
    a[i] += after[i];
    return std::isfinite(m[i]) && std::isfinite(a[i]) && std::isfinite(error[i]);
  });
  return finite ? std::optional(Nearest{std::move(m), std::move(a), std::move(error)}) : std::nullopt;
}

}  // namespace lastbit
