// monotone.cpp: see monotone.hpp. Values at the two ends are followed in float64; they decide only whether an end of a register is
// near, with room to spare.
#include "golden/monotone.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "lib/error.hpp"

namespace lastbit {
namespace {

constexpr double spare = 0.999;  // of a register's range, where float64 follows integers and floats alike

struct Ends {
  double lo, hi;
  bool within(double bits) const {
    const double size = std::ldexp(spare, static_cast<int>(bits) - 1);
    return lo >= -size && hi <= size;
  }
};

double constant(const std::string& text, const Names& names) { return Expression::parse(text).evaluate(names).value; }

/// x * multiplier by a rule of fixed.hpp: all round; those that shift left first wrap when that leaves 32 bits.
bool fixed(Ends& v, const std::string& rule, double by) {
  if (!(by > 0) || !std::isfinite(by)) return false;
  const bool shifts = rule == "double_away" || rule == "double_up" || rule == "floor_up";
  if (shifts && by >= 1 && !Ends{v.lo * 2 * by, v.hi * 2 * by}.within(32)) return false;
  v.lo *= by, v.hi *= by;
  return true;
}

}  // namespace

bool monotone(const std::vector<std::string>& stages, const RequantizeContext& c, std::int64_t channel, std::int64_t lo, std::int64_t hi) {
  const Names& names = c.channels.size() == 1 ? c.channels[0] : c.channels[static_cast<std::size_t>(channel)];
  Ends v{static_cast<double>(lo), static_cast<double>(hi)};
  bool real = false;
  const auto plus = [&](double by) {
    v.lo += by, v.hi += by;
    return std::isfinite(by);
  };
  const auto times = [&](double by) {
    v.lo *= by, v.hi *= by;
    return by > 0 && std::isfinite(by);
  };
  for (const auto& stage : stages) {
    if (!c.has_bias && stage.find("bias") != std::string::npos) continue;
    const auto space = stage.find(' ');
    const std::string verb = stage.substr(0, space), rest = space == std::string::npos ? "" : stage.substr(space + 1);
    const auto semicolon = rest.find(';');
    const std::string first = rest.substr(0, semicolon), second = semicolon == std::string::npos ? "" : rest.substr(semicolon + 1);
    bool keeps = true;
    if (verb == "bias") keeps = plus(std::clamp(constant(rest, names), -0x1p31, 0x1p31)) && v.within(32);
    else if (verb == "bias64") keeps = plus(constant(rest, names)) && v.within(62);
    else if (verb == "float" || verb == "double") real = true;
    else if (verb == "multiply") keeps = real && times(constant(rest, names));
    else if (verb == "divide") keeps = real && times(1 / constant(rest, names));
    else if (verb == "add") keeps = plus(constant(rest, names));
    else if (verb == "fma") keeps = real && plus(constant(first, names) * constant(second, names));
    else if (verb == "muladd") keeps = real && times(constant(first, names)) && plus(constant(second, names));
    else if (verb == "activation") keeps = c.activation != "tanh" && (c.activation != "leaky_relu" || c.negative_slope >= 0);
    else if (verb == "fixed") {
      const auto gap = rest.find(' ');
      const std::string rule = rest.substr(0, gap);
      const double by = constant(rest.substr(gap + 1), names);
      Ends tail = v;
      keeps = !real && fixed(v, rule.substr(0, rule.find('/')), by);
      if (const auto at = rule.rfind('/'); at != std::string::npos) keeps = keeps && fixed(tail, rule.substr(at + 1), by);
    } else if (verb == "round") keeps = v.within(32), real = false;
    else if (verb == "zero_point") keeps = plus(names.at("zo"));
    else if (verb == "saturate16") v = {std::clamp(v.lo, -32768.0, 32767.0), std::clamp(v.hi, -32768.0, 32767.0)};
    else if (verb == "register") {
      int bits = 0;
      std::from_chars(rest.data(), rest.data() + rest.size(), bits);
      keeps = !real && (rest.find("-saturate") != std::string::npos || v.within(bits));
      const double size = std::ldexp(1.0, bits - 1);
      v = {std::clamp(v.lo, -size, size), std::clamp(v.hi, -size, size)};
    } else if (verb == "range" || verb == "clamp") {
      const double by = verb == "range" ? names.at("zo") : 0, low = static_cast<double>(c.min) - by, high = static_cast<double>(c.max) - by;
      keeps = low <= high;
      if (keeps) v = {std::clamp(v.lo, low, high), std::clamp(v.hi, low, high)};
    } else keeps = false;
    if (!keeps) return false;
  }
  return !real;
}

}  // namespace lastbit
