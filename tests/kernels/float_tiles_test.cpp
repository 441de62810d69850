// float_tiles_test.cpp: on every instruction set that this processor runs, float32 sums in tiles against one sum after the other.
#include "lib/kernels/float_tiles.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "tests/kernels/cases.hpp"

using namespace lastbit;
using namespace lastbit::test;

namespace {

/// The output of one element, by the formula of the header, term by term.
std::int32_t by_hand(const KernelCase& c, const FloatTiles& job, const std::vector<std::int32_t>& source, std::int64_t n, std::int64_t o, std::int64_t p) {
  const float w_scale = job.w_scale[job.w_scale.size() == 1 ? 0 : static_cast<std::size_t>(o)];
  float sum = 0;
  for (const auto& [x, w] : terms_of(c, source, n, o, p)) {
    const float product = (static_cast<float>(x) * job.x_scale) * (static_cast<float>(w) * w_scale);
    sum = sum + product;
  }
  const float quotient = (sum + job.bias[static_cast<std::size_t>(o)]) / job.scale;
  const double whole = std::nearbyint(static_cast<double>(std::clamp(quotient, -0x1p20f, 0x1p20f)));  // ties to even
  return std::clamp(static_cast<std::int32_t>(whole) + job.zero_point, job.low, job.high);
}

}  // namespace

TEST_CASE("float32 sums in tiles are those of one sum after the other, on every instruction set", "[kernels][float]") {
  for (const auto& target : supported_targets()) {
    const Limit limit(target);
    INFO(target);
    Random random(11);
    int taken = 0, depthwise = 0, padded = 0, differing = 0, inside = 0;
    for (int round = 0; round < 150; ++round) {
      KernelCase c = random_case(random);
      c.x_dtype = random.below(2) ? DType::uint8 : DType::int8, c.w_dtype = random.below(3) ? DType::int8 : DType::uint8;
      c.x_zero_point = random.between(info(c.x_dtype).min, info(c.x_dtype).max);
      if (c.w_zero_point.empty()) c.w_zero_point = {0};
      for (auto& z : c.w_zero_point) z = random.below(2) ? 0 : random.between(info(c.w_dtype).min, info(c.w_dtype).max);
      c = filled(c, random);
      const Geometry& g = c.g;
      const std::int64_t O = g.groups * g.out_channels, P = g.positions();
      std::vector<float> w_scale, bias;
      for (std::int64_t o = 0; o < (round % 2 ? O : 1); ++o) w_scale.push_back(static_cast<float>(random.between(1, 1000)) * 1.7e-5f);
      for (std::int64_t o = 0; o < O; ++o) bias.push_back(static_cast<float>(random.between(-1000, 1000)) * 0.0013f);
      const auto request = c.request();
      const float size = 0.02f * 0.0085f * 9000 * std::sqrt(static_cast<float>(g.terms()));
      FloatTiles job{request, 0.0213f, w_scale, bias, size / 60, static_cast<std::int32_t>(random.between(0, 255)), 0, 255, nullptr, false};
      std::vector<std::byte> observed(static_cast<std::size_t>(g.batch * O * P));
      const auto source = sources(g);
      std::int64_t mismatches = 0, largest = 0;
      for (std::int64_t n = 0; n < g.batch; ++n)
        for (std::int64_t o = 0; o < O; ++o)
          for (std::int64_t p = 0; p < P; ++p) {
            const std::int32_t y = by_hand(c, job, source, n, o, p);
            std::int32_t stored = y;
            if (random.below(40) == 0) stored = static_cast<std::int32_t>(random.between(0, 255));
            inside += y > 0 && y < 255;
            mismatches += stored != y;
            largest = std::max<std::int64_t>(largest, std::abs(stored - y));
            observed[static_cast<std::size_t>(c.out_channels_last ? (n * P + p) * O + o : (n * O + o) * P + p)] = static_cast<std::byte>(stored);
          }
      job.observed = observed.data();
      const auto totals = compare_float_tiles(job);
      if (!totals) continue;
      INFO(c.name << " round " << round);
      CHECK(totals->mismatches == mismatches);
      CHECK(totals->max_lsb == largest);
      ++taken;
      differing += mismatches > 0;
      depthwise += g.groups > 1 && g.in_channels == 1 && g.out_channels == 1;
      padded += g.begin[2] > 0;
    }
    CHECK(taken > 80);
    CHECK(depthwise > 0);
    CHECK(padded > 20);
    CHECK(differing > 40);
    CHECK(inside > 10000);
  }
}
