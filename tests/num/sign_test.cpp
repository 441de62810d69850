// sign_test.cpp: signs that 128 bits tell, against exact numbers.
#include "lib/num/sign.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "lib/num/exact.hpp"
#include "tests/support.hpp"

using namespace lastbit;
using lastbit::test::Random;

TEST_CASE("a sign told by 128 bits is the exact sum's", "[num][exact]") {
  Random random{8};
  int told = 0, untold = 0, zero = 0, close = 0;
  const auto drawn = [&](int bits) { return std::ldexp(static_cast<double>(random.between(-(std::int64_t{1} << bits), std::int64_t{1} << bits)), static_cast<int>(random.between(-40, 5))); };
  for (int i = 0; i < 20000; ++i) {
    const int bits = random.below(3) ? 24 : random.below(2) ? 53 : 8;
    std::vector<Product> products;
    products.push_back({static_cast<double>(random.between(-2000000, 2000000)), drawn(bits), drawn(bits), random.below(4) ? 1.0 : drawn(bits)});
    if (random.below(2)) products.push_back({drawn(24), random.below(2) ? 1.0 : drawn(24), 1, 1});
    if (random.below(2)) {  // what the first comes to, or nearly
      const Product& p = products[0];
      products.push_back({-p[0], p[1], p[2], random.below(2) ? p[3] : std::nextafter(p[3], 2.0)});
    } else {
      products.push_back({drawn(10), drawn(bits), 1, 1});
    }
    Exact sum;
    for (const auto& p : products) sum += Exact(p[0]) * Exact(p[1]) * Exact(p[2]) * Exact(p[3]);
    const auto sign = sign_of_sum(products);
    if (!sign) {
      ++untold;
      continue;
    }
    ++told;
    zero += *sign == 0;
    close += *sign != 0 && std::fabs(sum.to_double()) < 1e-9;
    REQUIRE(*sign == sum.compare_middle(Exact(0)));
  }
  CHECK(told > 5000);
  CHECK(untold > 100);
  CHECK(zero > 100);
  CHECK(close > 100);
}

TEST_CASE("subnormal numbers and powers of two have signs, too", "[num][exact]") {
  const double tiny = 0x1p-1074;
  CHECK(sign_of_sum(std::vector<Product>{{tiny, 1, 1, 1}, {-tiny, 1, 1, 1}}) == 0);
  CHECK(sign_of_sum(std::vector<Product>{{tiny, 3, 1, 1}, {-tiny, 2, 1, 1}}) == 1);
  CHECK(sign_of_sum(std::vector<Product>{{0x1p100, 1, 1, 1}, {-1, 0x1p60, 0x1p41, 1}}) == -1);
  CHECK(sign_of_sum(std::vector<Product>{{0, 5, 1, 1}}) == 0);
  CHECK(sign_of_sum({}) == 0);
  CHECK_FALSE(sign_of_sum(std::vector<Product>{{0x1p200, 1, 1, 1}, {1, 1, 1, 1}}).has_value());
}
