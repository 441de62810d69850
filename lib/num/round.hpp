// round.hpp: bringing an exact value to an integer, in every way a runtime is known to.
#pragma once
#include <array>
#include <cstdint>
#include <string_view>
#include "lib/error.hpp"
#include "lib/num/int.hpp"

namespace lastbit {

enum class Rounding {
  half_even,  // ties to the even side          IEEE 754 default, cvtps2dq, vcvtn
  half_away,  // ties away from zero            gemmlowp RoundingDivideByPOT, std::round
  half_up,    // ties toward +infinity          (x + 2^(n-1)) >> n, Arm VQRDMULH
  half_down,  // ties toward -infinity
  to_zero,    // toward zero                    a C cast from float
  floor,      // toward -infinity               x >> n
  ceil,       // toward +infinity
};
constexpr std::array<std::string_view, 7> rounding_names{"half_even", "half_away", "half_up", "half_down", "to_zero", "floor", "ceil"};

/// The part that was cut off, measured against half a unit of the part kept.
enum class Lost { nothing, below_half, half, above_half };

/// Whether the floor of a value moves up by one, given what the floor cut off.
constexpr bool rounds_up(Rounding mode, Lost lost, bool floor_is_odd, bool negative) {
  switch (mode) {
    case Rounding::half_even: return lost > Lost::half || (lost == Lost::half && floor_is_odd);
    case Rounding::half_away: return lost > Lost::half || (lost == Lost::half && !negative);
    case Rounding::half_up:   return lost >= Lost::half;
    case Rounding::half_down: return lost > Lost::half;
    case Rounding::to_zero:   return negative && lost != Lost::nothing;
    case Rounding::floor:     return false;
    case Rounding::ceil:      return lost != Lost::nothing;
  }
  return false;
}

struct Rounded {
  Wide value;
  Lost lost;
};

/// x / 2^n rounded once, exact for every x; 0 <= n <= 126.
constexpr Rounded shift_right(Wide x, int n, Rounding mode) {
  const Wide floor = x >> n;
  const Wide cut = x - (floor << n);
  const Wide half = n > 0 ? Wide{1} << (n - 1) : 0;
  const Lost lost = cut == 0 ? Lost::nothing : cut < half ? Lost::below_half : cut == half ? Lost::half : Lost::above_half;
  return {floor + (rounds_up(mode, lost, (floor & 1) != 0, x < 0) ? 1 : 0), lost};
}

struct RoundedInteger {
  std::int64_t value;
  Lost lost;
};

/// A float64 (so any float32) brought to an integer, whatever the machine's rounding mode is. |x| < 2^62; the caller has
/// dealt with NaN and larger values.
constexpr RoundedInteger to_integer(double x, Rounding mode) {
  std::int64_t floor = static_cast<std::int64_t>(x);              // toward zero
  if (static_cast<double>(floor) > x) --floor;
  const double cut = x - static_cast<double>(floor);              // exact, by Sterbenz or without a fraction, but between -1/2 and 0
  const Lost lost = cut == 0 ? Lost::nothing : x > -0.5 && x < 0 ? Lost::above_half : cut < 0.5 ? Lost::below_half : cut == 0.5 ? Lost::half : Lost::above_half;
  return {floor + (rounds_up(mode, lost, (floor & 1) != 0, x < 0) ? 1 : 0), lost};
}

/// Round half to even, the plain case.
constexpr std::int64_t rne(double x) { return to_integer(x, Rounding::half_even).value; }

}  // namespace lastbit
