// Pools: where memory order, border taps and divisors decide bits; what is refused. Values follow from the
// formulas by hand; recorded_test.cpp holds what runtimes computed.
#include <catch2/catch.hpp>
#include <cmath>

#include "tests/ops/layers.hpp"

using namespace lastbit;
using namespace lastbit::test;
using Catch::Matchers::Contains;
using Ints = std::vector<std::int64_t>;
using Values = std::vector<std::int32_t>;

namespace {

Layer pool(const std::string& op, Shape shape, Values x, Shape out, double zero_point, std::map<std::string, Attribute> attributes, const std::string& memory = "") {
  const Values zeros(static_cast<std::size_t>(count(out)));
  return layer_of(op, {{"x", quantized(DType::uint8, std::move(shape), std::move(x), 0.5, zero_point, memory)}}, quantized(DType::uint8, std::move(out), zeros, 0.5, zero_point), std::move(attributes));
}

}  // namespace

TEST_CASE("avg_pool2d: a tie goes elsewhere when channels lie innermost", "[avg_pool2d]") {
  const Shape in{1, 2, 1, 2}, out{1, 2, 1, 1};
  const std::map<std::string, Attribute> a{{"kernel_size", Ints{1, 2}}};
  CHECK(computed(pool("avg_pool2d", in, {11, 12, 11, 12}, out, 11, a), "pytorch-fbgemm").q == Values{12, 12});          // 11.5 to even
  CHECK(computed(pool("avg_pool2d", in, {11, 12, 11, 12}, out, 11, a, "NHWC"), "pytorch-onednn").q == Values{12, 12});   // two channels: the tail
  const Shape wide{1, 16, 1, 2};
  Values x;
  for (int c = 0; c < 16; ++c) x.insert(x.end(), {11, 12});
  CHECK(computed(pool("avg_pool2d", wide, x, {1, 16, 1, 1}, 11, a, "NHWC"), "pytorch-fbgemm").q == Values(16, 11));      // the body: 0.5 to even, + 11
}

TEST_CASE("avg_pool2d: QNNPACK divides by the whole kernel whatever it is told", "[avg_pool2d]") {
  const std::map<std::string, Attribute> a{{"kernel_size", Ints{3, 3}}, {"stride", Ints{3, 3}}, {"padding", Ints{1, 1}}, {"count_include_pad", false}};
  const auto l = [&] { return pool("avg_pool2d", {1, 1, 2, 2}, {19, 19, 19, 19}, {1, 1, 1, 1}, 10, a); };
  CHECK(computed(l(), "pytorch-qnnpack").q == Values{14});  // 10 + 36 / 9
  CHECK(computed(l(), "pytorch-fbgemm").q == Values{19});
}

TEST_CASE("avg_pool2d: what hangs over in ceil mode counts in ONNX Runtime only", "[avg_pool2d]") {
  const std::map<std::string, Attribute> a{{"kernel_size", Ints{1, 2}}, {"ceil_mode", true}, {"count_include_pad", true}};
  const auto l = [&] { return pool("avg_pool2d", {1, 1, 1, 3}, {10, 20, 30}, {1, 1, 1, 2}, 0, a); };
  CHECK(computed(l(), "pytorch-fbgemm").q == Values{15, 30});
  CHECK(computed(l(), "onnxruntime").q == Values{15, 15});
}

TEST_CASE("avg_pool2d: LiteRT averages stored integers, halves away from zero", "[avg_pool2d]") {
  Layer l = layer_of("avg_pool2d", {{"x", quantized(DType::int8, {1, 1, 1, 4}, {-1, -2, 1, 2}, 0.5, 100)}}, quantized(DType::int8, {1, 1, 1, 2}, {0, 0}, 0.5, 100), {{"kernel_size", Ints{1, 2}}, {"count_include_pad", false}});
  CHECK(computed(l, "tflite-reference").q == Values{-2, 2});
}

TEST_CASE("max_pool2d: padding is the least value; QNNPACK reads the border instead", "[max_pool2d]") {
  // One row, dilation 2, padding 1: the window at 0 reads positions -1, 1; at 1: 0, 2; at 2: 1, 3.
  const std::map<std::string, Attribute> a{{"kernel_size", Ints{1, 2}}, {"stride", Ints{1, 1}}, {"padding", Ints{0, 1}}, {"dilation", Ints{1, 2}}};
  const auto l = [&] { return pool("max_pool2d", {1, 1, 1, 3}, {9, 1, 2}, {1, 1, 1, 3}, 0, a); };
  CHECK(computed(l(), "pytorch-fbgemm").q == Values{1, 9, 1});
  CHECK(computed(l(), "pytorch-qnnpack").q == Values{9, 9, 2});
}

TEST_CASE("adaptive_avg_pool2d: windows overlap where sizes do not divide", "[adaptive_avg_pool2d]") {
  const auto l = pool("adaptive_avg_pool2d", {1, 2, 1, 3}, {0, 10, 20, 30, 40, 50}, {1, 2, 1, 2}, 0, {{"output_size", Ints{1, 2}}});
  CHECK(computed(l, "pytorch-fbgemm").q == Values{5, 15, 35, 45});
}

TEST_CASE("pools: the real value of a window is exact", "[avg_pool2d]") {
  const auto l = pool("avg_pool2d", {1, 1, 1, 3}, {10, 11, 11}, {1, 1, 1, 1}, 1, {{"kernel_size", Ints{1, 3}}});
  const Real real = find_operator("avg_pool2d")->real(l, {});
  CHECK(real.exact(0).fraction() == "29/6");  // (9 + 10 + 10) / 2 / 3
  CHECK(std::fabs(real.filter()[0] - 29.0 / 6) <= real.bound[0]);
}

TEST_CASE("pools: what does not fit is refused", "[avg_pool2d]") {
  const auto refused = [](std::map<std::string, Attribute> a, const std::string& why) {
    CHECK_THROWS_WITH(find_operator("max_pool2d")->check(pool("max_pool2d", {1, 1, 4, 4}, Values(16), {1, 1, 2, 2}, 0, std::move(a))), Contains(why));
  };
  refused({}, "attribute \"kernel_size\": found nothing");
  refused({{"kernel_size", Ints{2, 2, 2}}}, "expected 2 integers");
  refused({{"kernel_size", Ints{0, 2}}}, "found 0, expected 1 to 2147483647");
  refused({{"kernel_size", Ints{2, 2}}, {"stride", Ints{std::int64_t{1} << 40, 1}}}, "expected 1 to 2147483647");
  refused({{"kernel_size", Ints{2, 2}}, {"padding", Ints{-1, 0}}}, "found -1, expected 0");
  refused({{"kernel_size", Ints{5, 5}}}, "found a window of 5 over 4");
  refused({{"kernel_size", Ints{3, 3}}, {"stride", Ints{1, 1}}, {"dilation", Ints{1 << 30, 1 << 30}}}, "expected one that fits");
  refused({{"kernel_size", Ints{2, 2}}, {"stride", Ints{1, 1}}}, "found the shape [1, 1, 2, 2], expected [1, 1, 3, 3]");
  CHECK_THROWS_WITH(find_operator("avg_pool2d")->check(pool("avg_pool2d", {1, 1, 2, 2}, Values(4), {1, 1, 1, 1}, 0, {{"kernel_size", Ints{2, 2}}, {"divisor_override", std::int64_t{0}}})), Contains("expected an int32 other than 0"));
  CHECK_THROWS_WITH(find_operator("adaptive_avg_pool2d")->check(pool("adaptive_avg_pool2d", {1, 1, 2, 2}, Values(4), {1, 1, 1, 1}, 0, {{"output_size", Ints{1, 0}}})), Contains("found 0"));
}
