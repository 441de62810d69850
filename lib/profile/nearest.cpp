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

}  // namespace

NearestStages::NearestStages(const std::vector<std::string>& stages, const RequantizeContext& context, const std::string& place) : context_(context) {
  for (const auto& text : stages) {
    if (!context.has_bias && text.find("bias") != std::string::npos) continue;
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
    else if (const auto cut = rest.find(';'); cut != std::string::npos) s.a = Expression::parse(trimmed(rest.substr(0, cut)), place), s.b = Expression::parse(trimmed(rest.substr(cut + 1)), place);
    else if (!rest.empty() && s.verb != "register") s.a = Expression::parse(rest, place);
    steps_.push_back(std::move(s));
  }
}

std::optional<Nearest> NearestStages::of(std::int64_t channel, double most, double reach) const {
  const Names& names = context_.channels[context_.channels.size() == 1 ? 0 : static_cast<std::size_t>(channel)];
  double m = 1, a = 0, error = 0, unit = wide, after = 0;
  bool integer = true, rounded = false, bounded = false, ranged = false;
  const auto size = [&](double at) { return std::fabs(m) * at + std::fabs(a); };
  const auto value = [&](const std::optional<Expression>& e) { return e->evaluate(names).value; };
  const auto constant = [&](const std::optional<Expression>& e) { return unit == single ? static_cast<double>(static_cast<float>(value(e))) : value(e); };
  for (const Step& s : steps_) {
    if (s.verb == "bias" || s.verb == "bias64") {
      if (!integer || rounded) return std::nullopt;
      a += static_cast<double>(rne(std::clamp(value(s.a), -0x1p61, 0x1p61)));
      if (s.verb == "bias" && size(reach) >= int32_end) return std::nullopt;
    } else if (s.verb == "float" || s.verb == "double") {
      if (!integer || rounded) return std::nullopt;
      integer = false;
      unit = s.verb == "float" ? single : wide;
      error += size(most) * unit;
    } else if (s.verb == "multiply" || s.verb == "divide") {
      if (integer) return std::nullopt;
      const double c = s.verb == "multiply" ? constant(s.a) : 1 / constant(s.a);
      m *= c, a *= c;
      error = error * std::fabs(c) + size(most) * unit;
    } else if (s.verb == "add" || s.verb == "fma") {
      if (integer) return std::nullopt;
      const double c = s.verb == "add" ? constant(s.a) : constant(s.a) * constant(s.b);
      a += c;
      error += (size(most) + std::fabs(c)) * unit;
    } else if (s.verb == "muladd") {
      if (integer) return std::nullopt;
      const double c = constant(s.a), d = constant(s.b);
      m *= c, a = a * c + d;
      error = error * std::fabs(c) + (size(most) + std::fabs(d)) * unit;
    } else if (s.verb == "activation") {
      if (context_.activation == "leaky_relu" || context_.activation == "tanh" || context_.activation == "relu") return std::nullopt;
    } else if (s.verb == "fixed") {
      if (!integer || rounded) return std::nullopt;
      const double real = value(s.a);
      const bool twice = s.rule == "double_away" || s.rule == "double_up" || s.rule == "floor_up" || s.rule == "double_away_saturating";
      FixedMultiplier by = quantize_multiplier(real);
      if (s.rule == "rndnu") by = rndnu_multiplier(static_cast<float>(real));
      else if (s.rule == "q8") by = q8_multiplier(static_cast<float>(real));
      else if (!twice && s.rule != "single") return std::nullopt;
      if (by.m < 0 || by.shift > 30 || by.shift < -62 || size(reach) * std::ldexp(1, std::max(by.shift, 0)) >= int32_end) return std::nullopt;
      const double c = lastbit::value(by);
      m *= c, a *= c;
      error = error * c + size(most) * wide + (twice ? std::ldexp(1, std::min(by.shift, 0)) : 0);
      rounded = true;
    } else if (s.verb == "round") {
      if (integer || s.rule.rfind("half_", 0) != 0) return std::nullopt;
      if (s.rule.find("exact") == std::string::npos && !bounded && size(reach) * 1.001 + error >= int32_end) return std::nullopt;
      rounded = integer = true;
    } else if (s.verb == "zero_point") {
      const double zo = names.at("zo");
      ranged = false;
      if (rounded) after += zo;
      else a += zo;
      if (!integer) error += (size(most) + std::fabs(zo)) * unit;
    } else if (s.verb == "saturate16") {
      if (!bounded && size(reach) * 1.001 + error >= 32000) return std::nullopt;
    } else if (s.verb == "range" || s.verb == "clamp") {
      bounded = true;
      ranged = ranged || s.verb == "range";
    } else {
      return std::nullopt;
    }
  }
  if (!rounded || ranged || !bounded) return std::nullopt;
  const Nearest n{m, a + after, error + size(most) * 0x1p-48};
  return std::isfinite(n.multiplier) && std::isfinite(n.offset) && std::isfinite(n.error) ? std::optional(n) : std::nullopt;
}

}  // namespace lastbit
