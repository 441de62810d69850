// worst_case_test.cpp: the proved bounds of an accumulator against every input there is, on layers small enough to try them all.
#include "lib/rules/worst_case.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>
#include <limits>

#include "lib/dump/write.hpp"
#include "tests/support.hpp"
#include "verifier/audit.hpp"

using namespace lastbit;
using namespace lastbit::test;

namespace {

using Sums = std::vector<std::int64_t>;  // per output, channel by channel

/// A small layer: how its sums come from its inputs is written out by hand.
struct Small {
  const char* name;
  Geometry geometry;
  std::vector<std::int32_t> w;
  std::vector<std::int64_t> wz;
  int inputs, lo, hi, zx;
  std::vector<std::int64_t> bias;
  std::function<Sums(const std::vector<int>& x)> sums;  // x - zx, w - wz, no bias
};

/// Every input in [lo, hi]^inputs, as an odometer.
void for_every_input(const Small& s, const std::function<void(const std::vector<int>&)>& use) {
  std::vector<int> x(static_cast<std::size_t>(s.inputs), s.lo);
  for (;;) {
    use(x);
    std::size_t at = 0;
    while (at < x.size() && x[at] == s.hi) x[at++] = s.lo;
    if (at == x.size()) return;
    ++x[at];
  }
}

std::vector<Small> layers() {
  std::vector<Small> all;
  {  // linear, 4 inputs, 3 channels, a weight zero point a channel
    const std::vector<std::int32_t> w{7, -3, 0, 5, -128, 127, 1, -1, 4, 4, -4, 2};
    const std::vector<std::int64_t> wz{0, 3, -2};
    Geometry g;
    g.in_channels = 4, g.out_channels = 3;
    all.push_back({"linear", g, w, wz, 4, 0, 6, 2, {100, -7, 0}, [w, wz](const std::vector<int>& x) {
                     Sums y;
                     for (std::size_t o = 0; o < 3; ++o) {
                       std::int64_t sum = 0;
                       for (std::size_t c = 0; c < 4; ++c) sum += (x[c] - 2) * (w[o * 4 + c] - wz[o]);
                       y.push_back(sum);
                     }
                     return y;
                   }});
  }
  {  // 3 x 3 kernel, 2 x 2 input, padding 1: no position sees more than 4 taps
    const std::vector<std::int32_t> w{1, -2, 3, -4, 5, -6, 7, -8, 9, -9, 1, 8, 2, -7, 3, 6, 4, -5};
    Geometry g;
    g.out_channels = 2, g.in = {1, 2, 2}, g.kernel = {1, 3, 3}, g.begin = {0, 1, 1}, g.out = {1, 2, 2};
    all.push_back({"conv2d, padded", g, w, {0}, 4, -3, 3, -1, {}, [w](const std::vector<int>& x) {
                     Sums y;
                     for (int o = 0; o < 2; ++o)
                       for (int r = 0; r < 2; ++r)
                         for (int c = 0; c < 2; ++c) {
                           std::int64_t sum = 0;
                           for (int i = 0; i < 3; ++i)
                             for (int j = 0; j < 3; ++j)
                               if (const int h = r + i - 1, v = c + j - 1; h >= 0 && h < 2 && v >= 0 && v < 2) sum += (x[static_cast<std::size_t>(h * 2 + v)] + 1) * w[static_cast<std::size_t>(o * 9 + i * 3 + j)];
                           y.push_back(sum);
                         }
                     return y;
                   }});
  }
  {  // two groups of one channel, 2 x 1 kernel, stride 2
    const std::vector<std::int32_t> w{5, -9, -6, 4};
    Geometry g;
    g.groups = 2, g.in = {1, 3, 1}, g.kernel = {1, 2, 1}, g.stride = {1, 2, 1}, g.out = {1, 1, 1};
    all.push_back({"conv2d, depthwise", g, w, {0}, 6, 0, 3, 3, {}, [w](const std::vector<int>& x) {
                     return Sums{(x[0] - 3) * w[0] + (x[1] - 3) * w[1], (x[3] - 3) * w[2] + (x[4] - 3) * w[3]};
                   }});
  }
  {  // transposed: 2 inputs in a row, kernel 3, stride 2: y[2i + t] += x[i] * w[t], 5 outputs
    const std::vector<std::int32_t> w{3, -7, 11};
    Geometry g;
    g.in = {1, 1, 2}, g.kernel = {1, 1, 3}, g.stride = {1, 1, 2}, g.out = {1, 1, 5}, g.transposed = true;
    all.push_back({"conv_transpose", g, w, {0}, 2, 0, 20, 8, {}, [w](const std::vector<int>& x) {
                     Sums y(5, 0);
                     for (std::size_t i = 0; i < 2; ++i)
                       for (std::size_t t = 0; t < 3; ++t) y[2 * i + t] += (x[i] - 8) * w[t];
                     return y;
                   }});
  }
  return all;
}

}  // namespace

TEST_CASE("worst-case bounds are those of an exhaustive search, and the witness reaches them", "[verifier][audit]") {
  for (const Small& s : layers()) {
    CAPTURE(s.name);
    const auto channels = static_cast<std::size_t>(s.geometry.groups * s.geometry.out_channels), P = static_cast<std::size_t>(s.geometry.positions());
    std::vector<std::int64_t> lowest(channels, std::numeric_limits<std::int64_t>::max()), highest(channels, std::numeric_limits<std::int64_t>::min());
    for_every_input(s, [&](const std::vector<int>& x) {
      const Sums y = s.sums(x);
      for (std::size_t i = 0; i < y.size(); ++i) {
        const std::int64_t sum = y[i] + (s.bias.empty() ? 0 : s.bias[i / P]);
        lowest[i / P] = std::min(lowest[i / P], sum), highest[i / P] = std::max(highest[i / P], sum);
      }
    });
    AccumulationInput in;
    in.w = s.w, in.w_zero_point = s.wz, in.x_zero_point = s.zx;
    const auto bounds = worst_case(s.geometry, in, s.lo, s.hi, s.bias);
    REQUIRE(bounds.size() == channels);
    for (std::size_t o = 0; o < channels; ++o) {
      CAPTURE(o);
      CHECK(bounds[o].min == lowest[o]);
      CHECK(bounds[o].max == highest[o]);
      for (const bool maximum : {false, true}) {
        const std::int64_t position = maximum ? bounds[o].max_position : bounds[o].min_position;
        const auto x = witness(s.geometry, in, s.lo, s.hi, static_cast<std::int64_t>(o), position, maximum);
        const Sums y = s.sums({x.begin(), x.end()});
        CHECK(y[o * P + static_cast<std::size_t>(position)] + (s.bias.empty() ? 0 : s.bias[o]) == (maximum ? highest[o] : lowest[o]));
      }
    }
  }
}

TEST_CASE("a chosen register decides what --fail-on fails on", "[verifier][audit]") {
  const auto status = [](int bits, const std::string& overflow, const std::string& fail_on) {
    AuditOptions o;
    o.verify.dumps = {std::string(LASTBIT_TEST_DATA) + "/models/fbgemm-seed_linear"};  // observed 15 bits, at worst 18
    if (bits) o.acc = {bits};
    o.overflow = overflow, o.fail_on = fail_on;
    return audit(o).status;
  };
  CHECK(status(0, "wrap", "possible") == 0);
  CHECK(status(12, "wrap", "wrap") == 1);
  CHECK(status(12, "saturate", "saturate") == 1);
  CHECK(status(12, "saturate", "wrap") == 0);
  CHECK(status(17, "wrap", "wrap") == 0);
  CHECK(status(17, "wrap", "possible") == 1);
  CHECK(status(18, "wrap", "possible") == 0);
}
