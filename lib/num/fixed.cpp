// fixed.cpp: see fixed.hpp.
#include "lib/num/fixed.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "lib/num/float.hpp"

namespace lastbit {

FixedMultiplier quantize_multiplier(double real, int bits) {
  if (real == 0) return {};
  int shift = 0;
  std::int64_t m = 0;
  const auto word = std::bit_cast<std::uint64_t>(real);
  const auto exponent = static_cast<int>(word >> 52 & 0x7FF);
  if (exponent != 0 && exponent != 0x7FF) {  // frexp and ldexp by hand: every channel of every rival comes here
    const auto mantissa = static_cast<std::int64_t>((word & ((std::uint64_t{1} << 52) - 1)) | std::uint64_t{1} << 52);
    shift = exponent - 1022;                                     // |q| = mantissa / 2^53 in [1/2, 1)
    m = (mantissa + (std::int64_t{1} << (52 - bits))) >> (53 - bits) << (31 - bits);
    if (real < 0) m = -m;
  } else {
    const double q = std::frexp(real, &shift);
    m = to_integer(std::ldexp(q, bits), Rounding::half_away).value << (31 - bits);
  }
  if (m == std::int64_t{1} << 31) m /= 2, ++shift;               // rounded up to 1.0
  if (shift < -31) return {};                                    // flushed to zero
  return {static_cast<std::int32_t>(m), shift};
}

double value(FixedMultiplier by) { return static_cast<double>(by.m) * power_of_two(by.shift - 31); }

std::int64_t multiply_fixed(FixedRule rule, std::int64_t x, FixedMultiplier by, bool& tie, bool& wrapped) {
  const int left = std::clamp(by.shift, 0, 64);                    // 64 bits or more: nothing is left of int32
  const int right = by.shift > 0 ? 0 : -by.shift;
  const auto once = [&](Wide v, int n, Rounding mode) {
    const Rounded r = shift_right(v, std::max(n, 0), mode);        // multipliers of 2^31 and beyond, which no runtime makes: as 2^31
    tie |= r.lost == Lost::half && mode != Rounding::floor;
    return r.value;
  };
  if (rule == FixedRule::single) return static_cast<std::int64_t>(once(Wide{x} * by.m, 31 - by.shift, Rounding::half_up));
  if (rule == FixedRule::reduced) {
    const std::int64_t m15 = by.m < 0x7FFF0000 ? (by.m + 0x8000) >> 16 : 0x7FFF;
    const Wide wanted = once(Wide{x} * m15, 15 - by.shift, Rounding::half_up);
    const std::int64_t kept = wrap(wanted, 32);                    // returned as int32
    wrapped |= kept != wanted;
    return kept;
  }
  if (rule == FixedRule::scale16) return static_cast<std::int64_t>(once(Wide{x} * (by.m >> 16), 15 - by.shift, Rounding::half_up));
  const Wide wanted = Wide{x} << left;
  const std::int64_t shifted = rule == FixedRule::double_away_saturating ? saturate(wanted, 32) : wrap(wanted, 32);
  wrapped |= shifted != wanted;
  const Wide high = once(Wide{shifted} * by.m, 31, rule == FixedRule::floor_up ? Rounding::floor : Rounding::half_up);
  return static_cast<std::int64_t>(once(high, right, rule == FixedRule::double_away || rule == FixedRule::double_away_saturating ? Rounding::half_away : Rounding::half_up));
}

std::int64_t multiply_rndnu(std::int64_t x, float scale, bool& tie) {
  const auto bits = std::bit_cast<std::uint32_t>(scale);
  const std::int64_t m = (bits & 0x7FFFFF) | 0x800000;
  const Rounded r = shift_right(Wide{x} * m, std::clamp(150 - static_cast<int>(bits >> 23), 0, 126), Rounding::half_up);  // 16..55 for scales XNNPACK takes
  tie |= r.lost == Lost::half;
  return static_cast<std::int64_t>(r.value);
}

FixedMultiplier rndnu_multiplier(float scale) {
  const auto bits = std::bit_cast<std::uint32_t>(scale);
  return {static_cast<std::int32_t>((bits & 0x7FFFFF) | 0x800000), 31 - std::clamp(150 - static_cast<int>(bits >> 23), 0, 126)};
}

FixedMultiplier q8_multiplier(float scale) { return {static_cast<std::int32_t>(rne(static_cast<double>(256.0f * scale))), 31 - 8}; }

std::int64_t multiply_rndnu16(std::int64_t x, float scale, bool& tie) {
  const auto bits = std::bit_cast<std::uint32_t>(scale);
  int exponent = static_cast<int>(bits >> 23) - 127;
  std::int64_t m = (((bits & 0x7FFFFF) | 0x800000) + 256) >> 9;  // 15 bits, half up
  if (m == 32768) m = 16384, ++exponent;
  const int left = exponent + 1;
  const Wide pre = left >= 0 ? Wide{x} << std::min(left, 62) : shift_right(x, std::min(-left, 126), Rounding::half_up).value;
  const Rounded r = shift_right(Wide{saturate(pre, 16)} * m, 15, Rounding::half_up);
  tie |= r.lost == Lost::half;
  return static_cast<std::int64_t>(r.value);
}

std::int64_t multiply_q8(std::int64_t x, float scale, bool& tie) {
  const std::int64_t m = rne(static_cast<double>(256.0f * scale));
  const Rounded r = shift_right(Wide{x} * m, 8, Rounding::half_up);
  tie |= r.lost == Lost::half;
  return static_cast<std::int64_t>(r.value);
}

}  // namespace lastbit
