// pairs_test.cpp: what saturating pairs add, against pair by pair, on every instruction set.
#include <algorithm>
#include <catch2/catch.hpp>

#include "lib/kernels/pair_excess.hpp"
#include "lib/kernels/target.hpp"
#include "lib/num/int.hpp"
#include "tests/kernels/cases.hpp"

using namespace lastbit;
using namespace lastbit::test;

TEST_CASE("saturating pairs add what each pair alone adds", "[kernels][pairs]") {
  for (const auto& target : supported_targets()) {
    REQUIRE(limit_target(target));
    Random random{5};
    std::int64_t saturated = 0;
    for (int round = 0; round < 12; ++round) {
      KernelCase c;
      c.g.batch = random.between(1, 3), c.g.groups = random.between(1, 2), c.g.in_channels = random.between(1, 9), c.g.out_channels = random.between(1, 6);
      c.g.in = {1, random.between(3, 9), random.between(3, 17)};
      c.g.kernel = {1, random.between(1, 3), random.between(1, 3)};
      c.g.begin = {0, 1, 1};
      for (std::size_t a = 1; a < 3; ++a) c.g.out[a] = c.g.in[a] + 2 - c.g.kernel[a] + 1;
      c.extreme = round % 2;
      c.channels_last = round % 4 > 1, c.w_channels_last = round % 3 == 1;
      c = filled(c, random);
      const std::int32_t outside = round % 3 ? 117 : 0;
      Segment all;
      for (std::int32_t k = 0; k < c.g.terms(); ++k) all.push_back(k);
      std::vector<Segment> segments{all};
      if (all.size() > 5) segments = {{all.begin(), all.begin() + 3}, {all.begin() + 3, all.end()}};
      const Operands in{c.x, c.w, 0, c.w_zero_point};
      const auto got = pair_excess(c.g, in, segments, outside);
      const auto source = sources(c.g);
      std::vector<std::int64_t> want(got.size());
      for (std::size_t i = 0; i < want.size(); ++i) {
        const std::int64_t P = c.g.positions(), p = static_cast<std::int64_t>(i) % P, n = static_cast<std::int64_t>(i) / P / (c.g.groups * c.g.out_channels), o = static_cast<std::int64_t>(i) / P % (c.g.groups * c.g.out_channels), group = o / c.g.out_channels, T = c.g.taps(), C = c.g.in_channels;
        const auto product = [&](std::int32_t term) {
          const std::int64_t t = term / C, k = term % C, s = source[static_cast<std::size_t>(p * T + t)];
          const std::int32_t x = s < 0 ? outside : c.x[static_cast<std::size_t>(((n * c.g.groups + group) * C + k) * c.g.in_positions() + s)];
          return x * c.w[static_cast<std::size_t>((o * C + k) * T + t)];
        };
        for (const auto& s : segments)
          for (std::size_t k = 0; k + 1 < s.size(); k += 2) {
            const std::int32_t sum = product(s[k]) + product(s[k + 1]);
            want[i] += saturate16(sum) - sum;
            saturated += saturate16(sum) != sum;
          }
      }
      const bool equal = got == want;
      CHECK(equal);
      // As stored: each element that has an excess once, and none after the visitor has had enough.
      std::vector<std::int64_t> visited(got.size());
      std::int64_t visits = 0;
      visit_pair_excess(c.request(), segments, outside, 0, [&](const PairExcess& e) {
        visited[static_cast<std::size_t>((e.n * c.g.groups * c.g.out_channels + e.channel) * c.g.positions() + e.position)] += e.excess;
        ++visits;
        return true;
      });
      const bool as_stored = visited == want;
      CHECK(as_stored);
      // And of positions with a tap outside alone.
      std::vector<std::int64_t> at_borders(want.size()), bordering = want;
      for (std::size_t i = 0; i < bordering.size(); ++i) {
        const std::int64_t p = static_cast<std::int64_t>(i) % c.g.positions(), T = c.g.taps();
        if (std::none_of(source.begin() + p * T, source.begin() + (p + 1) * T, [](auto s) { return s < 0; })) bordering[i] = 0;
      }
      visit_pair_excess(c.request(), segments, outside, 0, [&](const PairExcess& e) {
        at_borders[static_cast<std::size_t>((e.n * c.g.groups * c.g.out_channels + e.channel) * c.g.positions() + e.position)] += e.excess;
        return true;
      }, true);
      const bool borders = at_borders == bordering;
      CHECK(borders);
      std::int64_t few = 0;
      visit_pair_excess(c.request(), segments, outside, 0, [&](const PairExcess&) { return ++few < 3; });
      CHECK(few == std::min<std::int64_t>(visits, 3));
    }
    CHECK(saturated > 0);
    limit_target("");
  }
}
