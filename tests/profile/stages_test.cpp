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

TEST_CASE("stages: many accumulators at once come to what each comes to alone") {
  constexpr std::int64_t channels = 5, count = 600;
  RequantizeContext own;
  own.has_bias = true, own.lanes = channels;
  for (int o = 0; o < channels; ++o) own.channels.push_back({{"si", 0.03125}, {"sw", 0.25 + 0.1 * o}, {"so", 1.5}, {"zi", 3.0}, {"zo", o % 2 ? 120.0 : -7.0}, {"bias", 1000.5 * o - 2001}, {"sb", 1.0}, {"alpha", 1.0}});
  // Near ties, near the ends of int32, beyond them.
  std::vector<std::int64_t> sums{0, 1, -1, INT32_MAX, INT32_MIN, INT32_MAX - 1, (std::int64_t{1} << 31), -(std::int64_t{1} << 40)};
  std::uint64_t state = 5;
  while (static_cast<std::int64_t>(sums.size()) < count) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    const auto v = static_cast<std::int64_t>(state >> 33) - (std::int64_t{1} << 30);
    sums.push_back(sums.size() % 3 ? v >> (state >> 60) : 48 * (v >> 20));
  }
  std::vector<std::vector<std::string>> lists;
  for (const std::string mode : {"half_even", "half_away", "half_up", "half_down", "to_zero", "floor", "ceil"})
    for (const std::string overflow : {"int_min", "saturate", "exact"})
      for (const std::string type : {"float", "double"}) {
        lists.push_back({type, "multiply si * sw / so", "round " + mode + " " + overflow, "zero_point", "clamp"});
        lists.push_back({"bias bias", type, "multiply si", "divide so", "range", "round " + mode + " " + overflow, "zero_point", "saturate16", "clamp"});
        lists.push_back({type, "add bias / si", "multiply si * sw", "zero_point", "clamp", "round " + mode + " " + overflow, "clamp"});
        lists.push_back({type, "multiply si * sw / so", "zero_point", "clamp", "round " + mode + " " + overflow});
        lists.push_back({"register 20-wrap", type, "fma bias ; 0.5", "muladd si / so ; zo", "round " + mode + " " + overflow, "clamp"});
      }
  for (const std::string rule : {"double_away", "double_up/4/double_away", "single", "floor_up", "rndnu", "rndnu16", "q8"}) lists.push_back({"register 24-saturate", "bias bias", "fixed " + rule + " si * sw / so", "zero_point", "clamp"});
  lists.push_back({"bias64 bias", "fixed reduced si * sw / so", "zero_point", "clamp"});  // by the scalar stages
  for (const auto& [min, max] : {std::pair<std::int64_t, std::int64_t>{-128, 127}, {0, 255}, {-(std::int64_t{1} << 60), std::int64_t{1} << 60}})
    for (const auto& stages : lists) {
      RequantizeContext context = own;
      context.min = min, context.max = max;
      const Requantizer r(stages, context, "layer"), bound = StageBinder(context, "layer")(stages);
      std::vector<double> one(sums.size()), along(channels);
      r.values(sums, 3, false, false, one.data());
      Events ignored = 0;
      std::int64_t wrong = 0;
      for (std::size_t k = 0; k < sums.size(); ++k) wrong += one[k] != static_cast<double>(r(sums[k], 3, ignored)) || bound(sums[k], 3, ignored) != r(sums[k], 3, ignored);
      for (std::size_t k = 0; k + channels <= sums.size(); k += channels) {
        r.values(std::span(sums).subspan(k, channels), 0, true, false, along.data());
        for (std::size_t o = 0; o < channels; ++o) wrong += along[o] != static_cast<double>(r(sums[k + o], static_cast<std::int64_t>(o), ignored));
      }
      INFO(stages.back() << " after " << stages[0] << ", " << stages[1] << ", " << stages[2] << " in " << min);
      CHECK(wrong == 0);
    }
}

TEST_CASE("stages: floats of many accumulators are those of each") {
  RequantizeContext c;
  c.has_bias = true, c.activation = "leaky_relu", c.negative_slope = 0.1;
  for (int o = 0; o < 3; ++o) c.channels.push_back({{"si", 0.1}, {"sw", 0.3 + o}, {"so", 1.0}, {"zi", 0.0}, {"zo", 0.0}, {"bias", 0.7 * o}, {"sb", 1.0}, {"alpha", 1.0}});
  std::vector<std::int64_t> sums;
  for (std::int64_t k = -300; k < 300; ++k) sums.push_back(k * 7919 + k % 3);
  for (const std::vector<std::string>& stages : {std::vector<std::string>{"float", "multiply f32(si) * f32(sw)", "add f32(bias)", "activation"}, {"double", "multiply si * sw", "add bias", "activation"}, {"float", "muladd f32(si * sw) ; f32(bias)", "activation"}}) {
    const Requantizer r(stages, c, "layer");
    std::vector<double> all(sums.size());
    r.values(sums, 1, false, true, all.data());
    Events ignored = 0;
    for (std::size_t k = 0; k < sums.size(); ++k) REQUIRE(all[k] == static_cast<double>(r.to_float(sums[k], 1, ignored)));
  }
}
