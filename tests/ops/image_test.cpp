// Moves, padding and interpolation: index maps, and what is refused.
#include <catch2/catch.hpp>

#include "tests/ops/layers.hpp"

using namespace lastbit;
using namespace lastbit::test;
using Catch::Matchers::Contains;
using Ints = std::vector<std::int64_t>;
using Values = std::vector<std::int32_t>;

namespace {

Layer move(const std::string& op, Shape in, Values x, Shape out, std::map<std::string, Attribute> attributes) {
  const Values zeros(static_cast<std::size_t>(count(out)));
  return layer_of(op, {{"x", quantized(DType::uint8, std::move(in), std::move(x), 0.5, 3)}}, quantized(DType::uint8, std::move(out), zeros, 0.5, 3), std::move(attributes));
}
Values moved(const Layer& l) { return computed(l, "pytorch-fbgemm").q; }

}  // namespace

TEST_CASE("moves: where each element goes", "[move]") {
  CHECK(moved(move("permute", {2, 3}, {0, 1, 2, 3, 4, 5}, {3, 2}, {{"dims", Ints{1, 0}}})) == Values{0, 3, 1, 4, 2, 5});
  CHECK(moved(move("transpose", {2, 3}, {0, 1, 2, 3, 4, 5}, {3, 2}, {{"dim0", std::int64_t{-1}}, {"dim1", std::int64_t{0}}})) == Values{0, 3, 1, 4, 2, 5});
  CHECK(moved(move("slice", {6}, {0, 1, 2, 3, 4, 5}, {2}, {{"start", std::int64_t{-5}}, {"end", std::int64_t{1} << 62}, {"step", std::int64_t{4}}})) == Values{1, 5});
  CHECK(moved(move("pixel_shuffle", {1, 4, 1, 2}, {0, 1, 2, 3, 4, 5, 6, 7}, {1, 1, 2, 4}, {{"upscale_factor", std::int64_t{2}}})) == Values{0, 2, 1, 3, 4, 6, 5, 7});
  CHECK(moved(move("channel_shuffle", {1, 4, 1}, {0, 1, 2, 3}, {1, 4, 1}, {{"groups", std::int64_t{2}}})) == Values{0, 2, 1, 3});
  CHECK(moved(move("flip", {2, 3}, {0, 1, 2, 3, 4, 5}, {2, 3}, {{"dims", Ints{-1}}})) == Values{2, 1, 0, 5, 4, 3});
  CHECK(moved(move("flip", {2, 2}, {0, 1, 2, 3}, {2, 2}, {{"dims", Ints{0, 1}}})) == Values{3, 2, 1, 0});
  CHECK(moved(move("flatten", {1, 2, 2}, {0, 1, 2, 3}, {1, 4}, {{"start_dim", std::int64_t{1}}})) == Values{0, 1, 2, 3});
}

TEST_CASE("pad: a constant is quantized, a border is copied, a negative amount cuts", "[pad]") {
  CHECK(moved(move("pad", {2}, {7, 8}, {4}, {{"pad", Ints{1, 1}}, {"value", 1.0}})) == Values{5, 7, 8, 5});
  CHECK(moved(move("pad", {3}, {7, 8, 9}, {6}, {{"pad", Ints{2, 1}}, {"mode", std::string("reflect")}})) == Values{9, 8, 7, 8, 9, 8});
  CHECK(moved(move("pad", {3}, {7, 8, 9}, {5}, {{"pad", Ints{0, 2}}, {"mode", std::string("replicate")}})) == Values{7, 8, 9, 9, 9});
  CHECK(moved(move("pad", {3}, {7, 8, 9}, {4}, {{"pad", Ints{1, 0}}, {"mode", std::string("circular")}})) == Values{9, 7, 8, 9});
  CHECK(moved(move("pad", {3}, {7, 8, 9}, {2}, {{"pad", Ints{-1, 0}}})) == Values{8, 9});
  const auto l = move("pad", {1}, {7}, {2}, {{"pad", Ints{1, 0}}, {"value", 0.1}});
  CHECK(find_operator("pad")->real(l, {}).exact(0).same_point(Exact(0.1)));  // the constant itself, not what is stored
}

TEST_CASE("upsample: nearest takes the floor, exact the middle; bilinear blends codes", "[upsample]") {
  CHECK(moved(move("upsample_nearest1d", {1, 1, 2}, {4, 8}, {1, 1, 3}, {{"output_size", Ints{3}}})) == Values{4, 4, 8});
  CHECK(moved(move("upsample_nearest_exact2d", {1, 1, 1, 4}, {1, 2, 3, 4}, {1, 1, 1, 2}, {{"output_size", Ints{1, 2}}})) == Values{2, 4});
  CHECK(moved(move("upsample_nearest2d", {1, 1, 1, 4}, {1, 2, 3, 4}, {1, 1, 1, 2}, {{"output_size", Ints{1, 2}}})) == Values{1, 3});
  const auto l = move("upsample_bilinear2d", {1, 1, 1, 2}, {4, 8}, {1, 1, 1, 4}, {{"output_size", Ints{1, 4}}});
  CHECK(moved(l) == Values{4, 5, 7, 8});
  CHECK(find_operator("upsample_bilinear2d")->real(l, {}).exact(1).fraction() == "1");  // (5 - 3) / 2
}

TEST_CASE("moves, padding, interpolation: what does not fit is refused", "[move]") {
  const auto refused = [](const std::string& op, Shape in, Shape out, std::map<std::string, Attribute> a, const std::string& why) {
    CHECK_THROWS_WITH(find_operator(op)->check(move(op, in, Values(static_cast<std::size_t>(count(in))), std::move(out), std::move(a))), Contains(why));
  };
  refused("permute", {2, 3}, {3, 2}, {{"dims", Ints{0, 0}}}, "expected each axis once");
  refused("permute", {2, 3}, {3, 2}, {{"dims", Ints{0}}}, "expected 2 axes");
  refused("transpose", {2, 3}, {3, 2}, {{"dim0", std::int64_t{5}}, {"dim1", std::int64_t{0}}}, "found the axis 5");
  refused("slice", {4}, {4}, {{"step", std::int64_t{0}}}, "found 0, expected at least 1");
  refused("flatten", {2, 3}, {6}, {{"start_dim", std::int64_t{1}}, {"end_dim", std::int64_t{0}}}, "found the axis 1 after end_dim");
  refused("pixel_shuffle", {1, 3, 1, 1}, {1, 1, 1, 1}, {{"upscale_factor", std::int64_t{2}}}, "whose square divides the 3 channels");
  refused("channel_shuffle", {1, 3, 1}, {1, 3, 1}, {{"groups", std::int64_t{2}}}, "expected a divisor of the 3 channels");
  refused("pad", {3}, {7}, {{"pad", Ints{2, 2, 2}}}, "expected pairs");
  refused("pad", {3}, {7}, {{"pad", Ints{3, 1}}, {"mode", std::string("reflect")}}, "expected at most 2");
  refused("pad", {3}, {7}, {{"pad", Ints{3, 1}}, {"mode", std::string("mirror")}}, "expected constant, reflect, replicate or circular");
  refused("upsample_nearest2d", {1, 1, 2, 2}, {1, 1, 4, 4}, {{"output_size", Ints{4, 0}}}, "expected sizes of at least 1");
  refused("upsample_bilinear2d", {1, 2, 2}, {1, 4, 4}, {{"output_size", Ints{4, 4}}}, "expected [N, C, H, W]");
}
