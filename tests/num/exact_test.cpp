// exact_test.cpp: sums, products and quotients of Exact against Boost's rationals, one operation after the other.
#include "lib/num/exact.hpp"

#include <boost/multiprecision/cpp_int.hpp>
#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "tests/support.hpp"

using namespace lastbit;
using lastbit::test::Random;
using Rational = boost::multiprecision::cpp_rational;

namespace {

Rational rational(double v) {
  int e = 0;
  const auto m = static_cast<std::int64_t>(std::ldexp(std::frexp(v, &e), 53));
  boost::multiprecision::cpp_int power = 1;
  power <<= std::abs(e - 53);
  return e >= 53 ? Rational(m) * Rational(power) : Rational(m) / Rational(power);
}

std::string text(const Rational& r) {
  const auto n = boost::multiprecision::numerator(r), d = boost::multiprecision::denominator(r);
  return d == 1 ? n.str() : n.str() + "/" + d.str();
}

struct Both {
  Exact exact;
  Rational rational;
};

Both drawn(Random& random) {
  switch (random.below(6)) {
    case 0: {
      const std::int64_t v = random.between(-70000, 70000);
      return {Exact(v), Rational(v)};
    }
    case 1: return {Exact(0), Rational(0)};
    case 2: {
      const double v = std::ldexp(1.0, static_cast<int>(random.between(-200, 200)));
      return {Exact(v), rational(v)};
    }
    default: {
      const double v = std::ldexp(static_cast<double>(random.between(-(std::int64_t{1} << 53), std::int64_t{1} << 53)), static_cast<int>(random.between(-110, 20)));
      return {Exact(v), rational(v)};
    }
  }
}

}  // namespace

TEST_CASE("exact numbers are the rationals, whatever they are made of", "[num][exact]") {
  Random random{2};
  int fractions = 0, equal = 0, powers = 0;
  for (int round = 0; round < 400; ++round) {
    std::vector<Both> all;
    for (int i = 0; i < 4; ++i) all.push_back(drawn(random));
    for (int step = 0; step < 12; ++step) {
      const Both a = all[random.below(all.size())], b = all[random.below(all.size())];
      Both c = a;
      switch (random.below(5)) {
        case 0: c.exact += b.exact, c.rational += b.rational; break;
        case 1: c.exact -= b.exact, c.rational -= b.rational; break;
        case 2: c.exact *= b.exact, c.rational *= b.rational; break;
        case 3: c.exact = -b.exact, c.rational = -b.rational; break;
        default:
          if (b.rational == 0) {
            CHECK_THROWS(c.exact /= b.exact);
            c = a;
          } else {
            c.exact /= b.exact, c.rational /= b.rational;
          }
      }
      if (text(c.rational).size() > 2000) continue;
      REQUIRE(c.exact.is_point());
      REQUIRE(c.exact.fraction() == text(c.rational));
      const auto& d = all[random.below(all.size())];
      REQUIRE(c.exact.compare_middle(d.exact) == (c.rational < d.rational ? -1 : c.rational == d.rational ? 0 : 1));
      REQUIRE(c.exact.same_point(d.exact) == (c.rational == d.rational));
      REQUIRE(c.exact.certainly_less(d.exact) == (c.rational < d.rational));
      const auto denominator = boost::multiprecision::denominator(c.rational);
      const bool dyadic = (denominator & (denominator - 1)) == 0;
      fractions += !dyadic;
      powers += dyadic && denominator != 1;
      equal += c.rational == d.rational;
      if (abs(c.rational) < Rational(std::int64_t{1} << 60)) {
        boost::multiprecision::cpp_int floor = boost::multiprecision::numerator(c.rational) / denominator;
        if (c.rational < 0 && Rational(floor) != c.rational) --floor;
        REQUIRE(c.exact.floor() == static_cast<std::int64_t>(floor));
      }
      all.push_back(c);
    }
  }
  CHECK(fractions > 100);
  CHECK(powers > 100);
  CHECK(equal > 20);
}

TEST_CASE("what was rounded to a float64 is that float64", "[num][exact]") {
  Random random{4};
  for (int i = 0; i < 2000; ++i) {
    const double v = std::ldexp(static_cast<double>(random.between(-(std::int64_t{1} << 53), std::int64_t{1} << 53)), static_cast<int>(random.between(-1100, 900)));
    CHECK(Exact(v).to_double() == v);
  }
  CHECK(Exact(0.1).decimal(30) == "0.100000000000000005551115123126");
  CHECK((Exact(1) / Exact(3)).fraction() == "1/3");
  CHECK((Exact(-7) / Exact(4)).fraction() == "-7/4");
}

TEST_CASE("exponentials of what is far from 0 are told without their digits", "[num][exact]") {
  const Exact tiny = Exact(0x1p-1000) * Exact(0x1p-999);
  for (const double size : {2001.0, 2.5e8, 1e38, 1e300}) {
    CAPTURE(size);
    CHECK(exp(Exact(-size)).certainly_less(tiny));
    CHECK_FALSE(exp(Exact(-size)).certainly_less(Exact(0)));
    CHECK(sigmoid(Exact(-size)).certainly_less(tiny));
    CHECK((Exact(1) - sigmoid(Exact(size))).certainly_less(tiny));
    CHECK((Exact(1) - tanh(Exact(size))).certainly_less(tiny));
    CHECK((Exact(1) + tanh(Exact(-size))).certainly_less(tiny));
    CHECK((expm1(Exact(-size)) + Exact(1)).certainly_less(tiny));
  }
  CHECK_THROWS_AS(exp(Exact(1e9)), Error);
  CHECK(exp(Exact(1)).decimal(30) == "2.718281828459045235360287471353");
  CHECK(sigmoid(Exact(1)).decimal(30) == "0.731058578630004879251159241822");  // Python's decimal, 60 digits
  CHECK(tanh(Exact(-1)).decimal(30) == "-0.761594155955764888119458282605");
  // 1 / (1 + exp(-x)) and tanh as they read, where neither is large.
  const auto near_to = [](const Exact& a, const Exact& b) { return abs(a - b).certainly_less(Exact(0x1p-250)); };
  Random random{8};
  for (int i = 0; i < 100; ++i) {
    const Exact x(static_cast<double>(random.between(-1000000, 1000000)) / 32768);
    CHECK(near_to(sigmoid(x), Exact(1) / (Exact(1) + exp(-x))));
    CHECK(near_to(tanh(x), Exact(1) - Exact(2) / (exp(x * Exact(2)) + Exact(1))));
  }
}
