// window_plan_test.cpp: where a convolution's taps read.
#include "lib/kernels/window_plan.hpp"

#include <catch2/catch.hpp>

#include "tests/kernels/cases.hpp"

using namespace lastbit;
using namespace lastbit::test;

TEST_CASE("which taps read the input, and not padding, is told of every output of an axis", "[kernels]") {
  Random r{5};
  int told_apart = 0, too_many = 0, too_few = 0;
  for (int i = 0; i < 400; ++i) {
    const std::int64_t kernel = r.between(1, 11), dilation = r.between(1, 3), reach = (kernel - 1) * dilation + 1, padding = r.between(0, reach), in = r.between(1, r.below(2) ? 20 : 300);
    const Geometry g = window(1, 1, 4, 4, {1, 1, in}, {1, 1, kernel}, {1, 1, r.between(1, 3)}, {1, 1, dilation}, {0, 0, padding}, false);
    if (g.out[2] < 1) continue;
    INFO("in " << in << ", kernel " << kernel << ", dilation " << dilation << ", padding " << padding << ", stride " << g.stride[2]);
    std::vector<AxisInside::Range> right;
    std::int64_t outside = 0;
    std::size_t kinds = 1;
    for (std::int64_t o = 0; o < g.out[2]; ++o) {
      std::vector<std::int64_t> taps;
      for (std::int64_t t = 0; t < kernel; ++t)
        if (const std::int64_t at = o * g.stride[2] - padding + t * dilation; at >= 0 && at < in) taps.push_back(t);
      outside += kernel - static_cast<std::int64_t>(taps.size());
      right.push_back(taps.empty() ? AxisInside::Range{0, 0} : AxisInside::Range{taps.front(), taps.back() + 1});
      if (right.back() != AxisInside::Range{0, kernel} && std::find(right.begin(), right.end() - 1, right.back()) == right.end() - 1) ++kinds;
    }
    const AxisInside t = axis_inside(g, 2, true);
    REQUIRE(t.kind.size() == right.size());
    CHECK(t.kinds[0] == AxisInside::Range{0, kernel});
    CHECK(axis_inside(g, 2, false).kinds.size() == 1);
    if (t.kinds.size() == 1) {
      (kinds > 8 ? too_many : too_few) += kinds > 1;
      CHECK((kinds == 1 || kinds > 8 || outside * 100 < g.out[2] * kernel));
      CHECK(std::all_of(t.kind.begin(), t.kind.end(), [](std::int32_t k) { return k == 0; }));
      continue;
    }
    ++told_apart;
    bool same = true;
    for (std::size_t o = 0; o < right.size(); ++o) same = same && t.kinds.at(static_cast<std::size_t>(t.kind[o])) == right[o];
    CHECK(same);
  }
  CHECK(told_apart > 50);
  CHECK(too_many > 5);
  CHECK(too_few > 5);
}
