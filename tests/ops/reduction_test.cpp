// Means, sums, deviations, normalizations: which rule, and what stays an interval.
#include <catch2/catch.hpp>

#include "lib/rules/float_sum.hpp"
#include "tests/ops/layers.hpp"

using namespace lastbit;
using namespace lastbit::test;
using Catch::Matchers::Contains;
using Ints = std::vector<std::int64_t>;
using Values = std::vector<std::int32_t>;

TEST_CASE("mean: ATen averages the codes, QNNPACK what lies above the zero point", "[mean]") {
  const auto l = [] { return layer_of("mean", {{"x", quantized(DType::uint8, {1, 1, 1, 2}, {0, 1}, 0.5, 1)}}, quantized(DType::uint8, {1, 1}, {0}, 0.5, 1), {{"dim", Ints{2, 3}}}); };
  CHECK(computed(l(), "pytorch-fbgemm").q == Values{0});   // 0.5 to even
  CHECK(computed(l(), "pytorch-qnnpack").q == Values{1});  // -0.5 to even, + 1
}

TEST_CASE("mean: LiteRT's reference divides the multiplier and cuts it off; its kernel over planes rounds twice", "[mean]") {
  const auto l = [](bool keep) {
    return layer_of("mean", {{"x", quantized(DType::int8, {1, 3, 1, 1}, {10, 11, 12}, 0.5, 0)}}, quantized(DType::int8, keep ? Shape{1, 1, 1, 1} : Shape{1, 1}, {0}, 0.25, -3), {{"dim", Ints{1, 2}}, {"keepdim", keep}});
  };
  CHECK(computed(l(false), "tflite-reference").q == Values{19});
  CHECK(computed(l(true), "tflite-ruy-x86").q == Values{19});
}

TEST_CASE("sum: LiteRT's reference takes int8 for uint8", "[sum]") {
  const auto l = [](DType type) { return layer_of("sum", {{"x", quantized(type, {2}, {1, type == DType::int8 ? -1 : 2}, 1, 0)}}, quantized(type, {1}, {0}, 2, 0), {{"dim", Ints{0}}, {"keepdim", true}}); };
  CHECK(computed(l(DType::int8), "tflite-reference").q == Values{-128});  // (1 + 255) / 2 = 128, its byte read as int8
  CHECK(computed(l(DType::uint8), "tflite-reference").q == Values{2});    // 1.5
  CHECK(computed(l(DType::int8), "tflite-ruy-x86").q == Values{0});
}

TEST_CASE("sum: of int16 the reference writes the first half of the bytes only", "[sum]") {
  const auto l = layer_of("sum", {{"x", quantized(DType::int16, {1, 2}, {1, 2}, 1, 0)}}, quantized(DType::int16, {1, 2}, {0, 0}, 1, 0), {{"dim", Ints{0}}, {"keepdim", true}});
  const Computed y = computed(l, "tflite-reference");
  CHECK(y.q[0] == 1);  // bytes 1, 0
  REQUIRE(y.undefined.size() == 1);
  CHECK(y.undefined[0].index == 1);
}

TEST_CASE("float sums: an interval holds every order, and is a point where nothing can round", "[float_sum]") {
  const FloatRange exact = float_sum(std::vector<float>{0.5f, 1.25f, -3.0f});
  CHECK(exact.lo == -1.25f);
  CHECK(exact.hi == -1.25f);
  const float s = 0.1f;
  const FloatRange open = float_sum(std::vector<float>{3 * s, 5 * s, 7 * s});
  for (const float v : {(3 * s + 5 * s) + 7 * s, 3 * s + (5 * s + 7 * s), (3 * s + 7 * s) + 5 * s}) {
    CHECK(v >= open.lo);
    CHECK(v <= open.hi);
  }
  CHECK(open.lo < open.hi);
}

TEST_CASE("mean: over channels a value far from a tie is certain", "[mean]") {
  const auto l = [](std::int32_t last) { return layer_of("mean", {{"x", quantized(DType::uint8, {1, 2, 1, 1}, {3, last}, 0.1, 0)}}, quantized(DType::uint8, {1, 1, 1}, {0}, 0.1, 0), {{"dim", Ints{1}}}); };
  CHECK(computed(l(5), "pytorch-fbgemm").undefined.empty());
  CHECK(computed(l(5), "pytorch-fbgemm").q == Values{4});
}

TEST_CASE("std: one element has none", "[std]") {
  const auto l = layer_of("std", {{"x", quantized(DType::uint8, {1, 2}, {3, 5}, 0.5, 2)}}, quantized(DType::uint8, {1}, {0}, 0.5, 2), {{"dim", Ints{1}}});
  CHECK(computed(l, "pytorch-fbgemm").q == Values{3});  // sqrt(2) * 0.5 = 0.707 -> 1.41 codes, + 2
  CHECK(find_operator("std")->real(l, {}).exact(0).decimal(6).substr(0, 7) == "0.70710");
}

TEST_CASE("reductions: axes that do not exist, or twice, are refused", "[mean]") {
  const auto refused = [](Attribute dim, const std::string& why) {
    CHECK_THROWS_WITH(find_operator("mean")->check(layer_of("mean", {{"x", quantized(DType::uint8, {1, 2}, {3, 5}, 0.5, 2)}}, quantized(DType::uint8, {1}, {0}, 0.5, 2), {{"dim", dim}})), Contains(why));
  };
  refused(Ints{2}, "found the axis 2, expected -2 to 1");
  refused(Ints{1, -1}, "expected each axis once");
  refused(Ints{0}, "found the shape [1], expected [2]");
  refused(std::string("all"), "expected a list of integers");
}

TEST_CASE("batch_norm: without AVX2 the zero point moves inside the rounding of whole vectors", "[batch_norm]") {
  const auto l = [](const char* isa) {
    return layer_of("batch_norm",
                    {{"x", quantized(DType::uint8, {1, 9}, Values(9, 1), 1, 0)}, {"weight", floats({9}, std::vector<float>(9, 0.5f))}, {"bias", floats({9}, std::vector<float>(9))},
                     {"running_mean", floats({9}, std::vector<float>(9))}, {"running_var", floats({9}, std::vector<float>(9, 1.0f))}},
                    quantized(DType::uint8, {1, 9}, Values(9), 1, 1), {{"eps", 0.0}}, {{"framework", "pytorch"}, {"version", "2.13.0"}, {"isa", isa}});
  };
  CHECK(computed(l("avx2"), "pytorch-fbgemm").q == Values(9, 1));                              // rne(0.5) + 1
  CHECK(computed(l("sse4.1"), "pytorch-fbgemm").q == Values{2, 2, 2, 2, 2, 2, 2, 2, 1});       // rne(1.5), the ninth as above
}

TEST_CASE("normalizations: shapes that do not fit are refused", "[layer_norm]") {
  const auto x = quantized(DType::uint8, {2, 4}, Values(8), 1, 0), y = quantized(DType::uint8, {2, 4}, Values(8), 1, 0);
  CHECK_THROWS_WITH(find_operator("layer_norm")->check(layer_of("layer_norm", {{"x", x}}, y, {{"normalized_shape", Ints{3}}})), Contains("expected the last axes of [2, 4]"));
  CHECK_THROWS_WITH(find_operator("group_norm")->check(layer_of("group_norm", {{"x", x}}, y, {{"num_groups", std::int64_t{2}}})), Contains("at least 3 axes"));
  const auto image = quantized(DType::uint8, {1, 4, 2}, Values(8), 1, 0);
  CHECK_THROWS_WITH(find_operator("group_norm")->check(layer_of("group_norm", {{"x", image}}, y, {{"num_groups", std::int64_t{3}}})), Contains("expected a divisor of the 4 channels"));
  CHECK_THROWS_WITH(find_operator("batch_norm")->check(layer_of("batch_norm", {{"x", x}}, y, {})), Contains("found no input \"running_mean\""));
}

TEST_CASE("std: one element has no spread: not a number, and ATen's kernel for inner axes does not take it", "[std]") {
  // PyTorch 2.13.0: torch.std(x, [1], correction=n), x of n equal codes
  const auto l = [](std::int64_t n) {
    return layer_of("std", {{"x", quantized(DType::uint8, {1, n}, Values(static_cast<std::size_t>(n), 77), 0.1, 3)}}, quantized(DType::uint8, {1}, {0}, 0.1, 3),
                    {{"dim", Ints{1}}, {"correction", n}});
  };
  CHECK(computed(l(1), "pytorch-fbgemm").q == Values{255});
  CHECK(computed(l(2), "pytorch-fbgemm").q == Values{0});
  CHECK(computed(l(40), "pytorch-fbgemm").q == Values{0});
}
