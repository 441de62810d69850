// saturating_sums_test.cpp: sums in saturating registers, against the loop, on every instruction set.
#include <algorithm>
#include <catch2/catch.hpp>

#include "lib/kernels/saturating_sums.hpp"
#include "lib/kernels/target.hpp"
#include "tests/kernels/cases.hpp"

using namespace lastbit;
using namespace lastbit::test;

TEST_CASE("registers of sixteen widths saturate as one by one", "[kernels][saturating]") {
  for (const auto& target : supported_targets()) {
    REQUIRE(limit_target(target));
    Random random{11};
    std::int64_t saturated = 0, whole = 0;
    for (int round = 0; round < 40; ++round) {
      const std::int64_t n = random.between(0, 200), most = std::int64_t{1} << random.between(3, 30);
      std::vector<std::int32_t> a, b;
      for (std::int64_t i = 0; i < n; ++i) a.push_back(static_cast<std::int32_t>(random.between(-most, most))), b.push_back(static_cast<std::int32_t>(random.between(-most, most)));
      const int narrowest = round % 2 ? 8 : 24;
      const auto both = saturating_sums(a.data(), b.data(), n, narrowest);
      CHECK(saturating_sums(a.data(), n, narrowest) == both[0]);
      for (const auto& [terms, sums] : {std::pair(&a, &both[0]), std::pair(&b, &both[1])})
        for (int i = 0; i < widths_at_once; ++i) {
          const std::int64_t high = (std::int64_t{1} << (std::min(narrowest + i, widest_at_once) - 1)) - 1;
          std::int64_t want = 0, exact = 0;
          for (const auto t : *terms) want = std::clamp(want + t, -high - 1, high), exact += t;
          CHECK((*sums)[static_cast<std::size_t>(i)] == want);
          ++(want == exact ? whole : saturated);
        }
    }
    CHECK(saturated > 100);
    CHECK(whole > 100);
  }
  limit_target("");
}
