// nearest.cpp: see nearest.hpp.
#include "lib/profile/nearest.hpp"

#include <algorithm>
#include <cmath>

#include "lib/num/fixed.hpp"

namespace lastbit {
namespace {

std::string trimmed(const std::string& s) {
  const auto from = s.find_first_not_of(' ');
  return from == std::string::npos ? "" : s.substr(from, s.find_last_not_of(' ') + 1 - from);
}

constexpr double single = 0x1.01p-24, wide = 0x1.01p-53, int32_end = 0x1p31;

bool rounds_twice(const std::string& rule) { return rule == "double_away" || rule == "double_up" || rule == "floor_up" || rule == "double_away_saturating"; }

/// One stage: its verb, its rule, its constants.
struct Step {
  std::string verb, rule;
  std::vector<double> a, b;
};

Step read(const std::string& text, const RequantizeContext& context, const std::string& place) {
  const auto constants = [&](const std::string& expression) { return Expression::parse(trimmed(expression), place).evaluate(context.channels).values; };
  Step s;
  const auto space = text.find(' ');
  s.verb = text.substr(0, space);
  std::string rest = space == std::string::npos ? "" : trimmed(text.substr(space));
  if (s.verb == "fixed" || s.verb == "round") {
    const auto end = rest.find(' ');
    s.rule = rest.substr(0, end);
    rest = end == std::string::npos ? "" : trimmed(rest.substr(end));
  }
  if (s.verb == "round") s.rule += " " + rest;
  else if (const auto cut = rest.find(';'); cut != std::string::npos) s.a = constants(rest.substr(0, cut)), s.b = constants(rest.substr(cut + 1));
  else if (!rest.empty() && s.verb != "register") s.a = constants(rest);
  return s;
}

}  // namespace

std::optional<Nearest> nearest_of(const std::vector<std::string>& stages, const RequantizeContext& context, const std::vector<double>& most, double reach, const std::string& place) {
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
  for (const auto& text : stages) {
    if (!context.has_bias && text.find("bias") != std::string::npos) continue;
    const Step s = read(text, context, place);
    bool holds = true;
    if (s.verb == "bias" || s.verb == "bias64") {
      holds = integer && !rounded && every([&](std::size_t i) {
        a[i] += static_cast<double>(rne(std::clamp(s.a[i], -0x1p61, 0x1p61)));
        return s.verb != "bias" || size(i, reach) < int32_end;
      });
    } else if (s.verb == "float" || s.verb == "double") {
      if (!integer || rounded) return std::nullopt;
      integer = false;
      unit = s.verb == "float" ? single : wide;
      for (std::size_t i = 0; i < n; ++i) error[i] += size(i, most[i]) * unit;
    } else if (s.verb == "multiply" || s.verb == "divide") {
      if (integer) return std::nullopt;
      for (std::size_t i = 0; i < n; ++i) {
        const double c = s.verb == "multiply" ? constant(s.a[i]) : 1 / constant(s.a[i]);
        m[i] *= c, a[i] *= c;
        error[i] = error[i] * std::fabs(c) + size(i, most[i]) * unit;
      }
    } else if (s.verb == "add" || s.verb == "fma") {
      if (integer) return std::nullopt;
      for (std::size_t i = 0; i < n; ++i) {
        const double c = s.verb == "add" ? constant(s.a[i]) : constant(s.a[i]) * constant(s.b[i]);
        a[i] += c;
        error[i] += (size(i, most[i]) + std::fabs(c)) * unit;
      }
    } else if (s.verb == "muladd") {
      if (integer) return std::nullopt;
      for (std::size_t i = 0; i < n; ++i) {
        const double c = constant(s.a[i]), d = constant(s.b[i]);
        m[i] *= c, a[i] = a[i] * c + d;
        error[i] = error[i] * std::fabs(c) + (size(i, most[i]) + std::fabs(d)) * unit;
      }
    } else if (s.verb == "activation") {
      // What relu cuts below 0 ends at the zero point, which the clamp does not let anything fall below either.
      holds = context.activation != "leaky_relu" && context.activation != "tanh" &&
              (context.activation != "relu" || every([&](std::size_t i) { return context.channels[i].at("zo") <= static_cast<double>(context.min); }));
    } else if (s.verb == "fixed") {
      // Vector lanes and what is left over, R/N/TAIL: both round twice, or it is not known.
      const std::string body = s.rule.substr(0, s.rule.find('/')), tail = s.rule.substr(s.rule.rfind('/') + 1);
      const bool twice = rounds_twice(body) && rounds_twice(tail), rndnu = s.rule == "rndnu", q8 = s.rule == "q8";
      if (!integer || rounded || !(twice || rndnu || q8 || s.rule == "single")) return std::nullopt;
      holds = every([&](std::size_t i) {
        const FixedMultiplier by = rndnu ? rndnu_multiplier(static_cast<float>(s.a[i])) : q8 ? q8_multiplier(static_cast<float>(s.a[i])) : quantize_multiplier(s.a[i]);
        if (by.m < 0 || by.shift > 30 || by.shift < -62 || size(i, reach) * std::ldexp(1, std::max(by.shift, 0)) >= int32_end) return false;
        const double c = value(by);
        m[i] *= c, a[i] *= c;
        error[i] = error[i] * c + size(i, most[i]) * wide + (twice ? std::ldexp(1, std::min(by.shift, 0)) : 0);
        return true;
      });
      rounded = true;
    } else if (s.verb == "round") {
      if (integer || s.rule.rfind("half_", 0) != 0) return std::nullopt;
      holds = s.rule.find("exact") != std::string::npos || bounded || every([&](std::size_t i) { return size(i, reach) * 1.001 + error[i] < int32_end; });
      rounded = integer = true;
    } else if (s.verb == "zero_point") {
      ranged = false;
      for (std::size_t i = 0; i < n; ++i) {
        const double zo = context.channels[i].at("zo");
        (rounded ? after : a)[i] += zo;
        if (!integer) error[i] += (size(i, most[i]) + std::fabs(zo)) * unit;
      }
    } else if (s.verb == "saturate16") {
      // What it cuts lies far outside a stored range of 8 bits, and is clamped all the same.
      holds = bounded || (context.min >= -1000 && context.max <= 1000 && every([&](std::size_t i) { return std::fabs(context.channels[i].at("zo")) <= 1000; })) ||
              every([&](std::size_t i) { return size(i, reach) * 1.001 + error[i] < 32000; });
    } else if (s.verb == "range" || s.verb == "clamp") {
      bounded = true;
      ranged = ranged || s.verb == "range";
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
