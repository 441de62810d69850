// round_test.cpp: a float64 brought to an integer, against the fraction it is.
#include "lib/num/round.hpp"

#include <boost/multiprecision/cpp_int.hpp>
#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

using namespace lastbit;

namespace {

using Rational = boost::multiprecision::cpp_rational;

/// By the words: the nearest integer, or the one that the mode names; of two equally near ones the one that it names.
std::int64_t by_the_words(double x, Rounding mode, bool& tie) {
  const Rational v(x);
  std::int64_t below = static_cast<std::int64_t>(std::trunc(x));
  if (Rational(below) > v) --below;
  const Rational rest = v - below, half(1, 2);
  tie = rest == half;
  if (rest == 0) return below;
  switch (mode) {
    case Rounding::to_zero: return x < 0 ? below + 1 : below;
    case Rounding::floor: return below;
    case Rounding::ceil: return below + 1;
    default: break;
  }
  if (!tie) return rest < half ? below : below + 1;
  switch (mode) {
    case Rounding::half_even: return below % 2 == 0 ? below : below + 1;
    case Rounding::half_away: return x < 0 ? below : below + 1;
    case Rounding::half_up: return below + 1;
    default: return below;
  }
}

}  // namespace

TEST_CASE("a float64 is rounded as the fraction that it is, a last place from every tie, too", "[num]") {
  std::vector<double> values{0.0, -0.0, 1e-300, -1e-300, 0x1p-54, -0x1p-54, 0x1p-1074, -0x1p-1074, 0x1p52 + 1, -0x1p52 - 1, 0x1p61};
  for (const double at : {0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 127.5, 128.5, 8388607.5, 4503599627370495.5})
    for (const double sign : {-1.0, 1.0}) {
      const double x = sign * at;
      for (const double y : {x, std::nextafter(x, 1e18), std::nextafter(x, -1e18), std::nextafter(std::nextafter(x, 1e18), 1e18), std::nextafter(std::nextafter(x, -1e18), -1e18)}) values.push_back(y);
    }
  int ties = 0;
  for (const double x : values)
    for (const Rounding mode : {Rounding::half_even, Rounding::half_away, Rounding::half_up, Rounding::half_down, Rounding::to_zero, Rounding::floor, Rounding::ceil}) {
      INFO(std::hexfloat << x << " " << static_cast<int>(mode));
      bool tie = false;
      const std::int64_t expected = by_the_words(x, mode, tie);
      const RoundedInteger r = to_integer(x, mode);
      CHECK(r.value == expected);
      CHECK((r.lost == Lost::half) == tie);
      ties += tie;
    }
  CHECK(ties > 50);
}
