// The stages of requantize.hpp that have a surprise in them.
#include <catch2/catch.hpp>

#include "lib/error.hpp"
#include "lib/profile/requantize.hpp"

using namespace lastbit;

namespace {

RequantizeContext context(std::int64_t lanes, double scale) {
  RequantizeContext c;
  c.channels.push_back({{"si", scale}, {"sw", 1.0}, {"so", 1.0}, {"zi", 0.0}, {"zo", 0.0}, {"bias", 0.0}, {"alpha", 1.0}});
  c.min = -128, c.max = 127, c.lanes = lanes;
  return c;
}

}  // namespace

TEST_CASE("stages: a vector's lanes and the loop after them round differently") {
  // -10 / 2 = -5, -5 / 2 = -2.5: half up gives -2, half away gives -3. 11 channels: one block of 8, a tail of 3.
  const Requantizer r({"fixed double_up/8/double_away si", "zero_point", "clamp"}, context(11, 0.25), "layer");
  Events e = 0;
  for (std::int64_t channel = 0; channel < 11; ++channel) CHECK(r(-10, channel, e) == (channel < 8 ? -2 : -3));
  CHECK((e & event::tie) != 0);
  CHECK_THROWS_AS(Requantizer({"fixed double_up/0/single si"}, context(8, 0.5), "layer"), Error);
  CHECK_THROWS_AS(Requantizer({"fixed double_up/8/nearest si"}, context(8, 0.5), "layer"), Error);
}

TEST_CASE("stages: XNNPACK requantizes integers with 256ths of the ratio") {
  // 0.3 becomes 77/256: 100 * 77 / 256 = 30.08, 105 * 77 / 256 = 31.58 (105 * 0.3 = 31.5).
  const Requantizer r({"fixed q8 f32(si) / f32(so)"}, context(1, 0.3), "layer");
  Events e = 0;
  CHECK(r(100, 0, e) == 30);
  CHECK(r(105, 0, e) == 32);
  CHECK(r(-105, 0, e) == -32);
}

TEST_CASE("stages: fixed-point rules on a value between two roundings") {
  // 585 * M = 6.50000046775 - 0.00000...: tensorflow#102943. Single and double rounding go up, as the exact value does;
  // float32 arithmetic lands on the tie and goes to even.
  RequantizeContext c;
  c.channels.push_back({{"si", 0.05296124517917633}, {"sw", 0.024093778803944588}, {"so", 0.11484327912330627}, {"zi", 0.0}, {"zo", -126.0}, {"bias", 0.0}, {"alpha", 1.0}});
  c.min = -128, c.max = 127;
  const auto of = [&](const std::vector<std::string>& stages) {
    Events e = 0;
    return Requantizer(stages, c, "layer")(585, 0, e);
  };
  CHECK(of({"fixed double_away si * sw / so", "zero_point", "clamp"}) == -119);
  CHECK(of({"fixed double_up si * sw / so", "zero_point", "clamp"}) == -119);
  CHECK(of({"fixed single si * sw / so", "zero_point", "clamp"}) == -119);
  CHECK(of({"double", "multiply si * sw / so", "round half_away exact", "zero_point", "clamp"}) == -119);
  CHECK(of({"float", "multiply f32(si * sw / so)", "round half_even int_min", "zero_point", "clamp"}) == -119);
  CHECK(of({"float", "multiply f32(si) * f32(sw) / f32(so)", "range", "round half_even int_min", "zero_point", "clamp"}) == -120);
}
