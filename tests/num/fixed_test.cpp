// fixed_test.cpp: multipliers as an integer and a power of two, against the steps that TFLite's QuantizeMultiplier takes.
#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "lib/num/exact.hpp"
#include "lib/num/fixed.hpp"
#include "lib/num/float.hpp"
#include "tests/support.hpp"

using namespace lastbit;
using namespace lastbit::test;

namespace {

/// quantization_util.cc: frexp, TfLiteRound(q * 2^bits), a mantissa that became 1 halved, flushed to zero below 2^-32.
FixedMultiplier by_library(double real, int bits) {
  if (real == 0) return {};
  int shift = 0;
  const double q = std::frexp(real, &shift);
  auto m = static_cast<std::int64_t>(std::round(std::ldexp(q, bits))) * (std::int64_t{1} << (31 - bits));
  if (m == std::int64_t{1} << 31) m /= 2, ++shift;
  if (shift < -31) return {};
  return {static_cast<std::int32_t>(m), shift};
}

}  // namespace

TEST_CASE("a multiplier is the one that frexp and a rounding make of it", "[num][fixed]") {
  Random random{20};
  std::int64_t ties = 0, carries = 0, flushed = 0, negative = 0;
  const auto check = [&](double real) {
    for (const int bits : {15, 31}) {
      const FixedMultiplier m = quantize_multiplier(real, bits), expected = by_library(real, bits);
      INFO(real << " to " << bits << " bits");
      REQUIRE(m.m == expected.m);
      REQUIRE(m.shift == expected.shift);
      REQUIRE(Exact(value(m)).same_point(Exact(static_cast<double>(m.m)) * Exact(std::ldexp(1.0, m.shift - 31))));
      int shift = 0;
      carries += m.m == std::int32_t{1} << 30 && std::frexp(real, &shift) != 0.5;
      flushed += m.m == 0;
      negative += m.m < 0;
    }
  };
  for (int i = 0; i < 20000; ++i) {
    const double mantissa = 1 + static_cast<double>(random.next() >> 12) * 0x1p-52, real = std::ldexp(mantissa, static_cast<int>(random.next() % 80) - 50);
    check(real);
    check(-real);
    for (const int bits : {15, 31}) {  // half way between two integers
      const double middle = std::ldexp(std::floor(std::ldexp(mantissa, bits - 1)) + 0.5, 1 - bits);
      check(middle);
      check(std::nextafter(middle, 0));
      check(-middle);
      ++ties;
    }
  }
  for (const double real : {0.0, 1.0, 0.5, 0x1.fffffffffffffp-1, 0x1.ffffp-3, 0x1p-31, 0x1p-32, 0x1p-33, 0x1.fffffffffffffp-33, 0x1p-1030, 0x1p900, std::numeric_limits<double>::denorm_min()}) check(real);
  CHECK(ties > 1000);
  CHECK(carries > 0);
  CHECK(flushed > 100);
  CHECK(negative > 1000);
}

TEST_CASE("a power of two is ldexp's", "[num]") {
  for (int e = -1080; e <= 1030; ++e) CHECK(std::bit_cast<std::uint64_t>(power_of_two(e)) == std::bit_cast<std::uint64_t>(std::ldexp(1.0, e)));
}

TEST_CASE("a multiplier larger than any register leaves nothing, or the register's end", "[num]") {
  for (const double real : {0x1p32, 0x1p70, 1e300})
    for (const std::int64_t x : {std::int64_t{5}, std::int64_t{-7}, std::int64_t{2147483647}}) {
      const FixedMultiplier by = quantize_multiplier(real);
      bool tie = false, wrapped = false;
      CHECK(multiply_fixed(FixedRule::double_away, x, by, tie, wrapped) == 0);  // x * 2^n mod 2^32
      CHECK(wrapped);
      // The register's end times 1/2: m is 2^30.
      const std::int64_t end = x < 0 ? -2147483648LL : 2147483647LL, half = x < 0 ? -1073741824LL : 1073741824LL;
      if (by.m == 1 << 30) CHECK(multiply_fixed(FixedRule::double_away_saturating, x, by, tie, wrapped) == half);
      CHECK(std::abs(multiply_fixed(FixedRule::double_away_saturating, x, by, tie, wrapped)) <= std::abs(end));
      for (const FixedRule rule : {FixedRule::single, FixedRule::reduced, FixedRule::scale16}) multiply_fixed(rule, x, by, tie, wrapped);  // for UBSan
    }
}
