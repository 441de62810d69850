// Elementwise operators: where a rule surprises (values recorded from the runtimes), what the real number is, what is refused.
#include <catch2/catch.hpp>

#include "lib/rules/gemmlowp.hpp"
#include "lib/rules/int16_table.hpp"
#include "lib/rules/sleef.hpp"
#include "lib/rules/tensor_iterator.hpp"
#include "tests/ops/layers.hpp"

using namespace lastbit;
using namespace lastbit::test;
using Catch::Matchers::Contains;
using Values = std::vector<std::int32_t>;

namespace {

Tensor filled(DType type, const Shape& shape, std::int32_t v, double scale, double zero_point, const std::string& memory = "") {
  return quantized(type, shape, Values(static_cast<std::size_t>(count(shape)), v), scale, zero_point, memory);
}
Layer sum(std::int32_t a, std::int32_t b, double z, const Shape& left, const Shape& right, double so, double zo) {
  return layer_of("add", {{"a", filled(DType::uint8, left, a, 1, z)}, {"b", filled(DType::uint8, right, b, 1, z)}}, filled(DType::uint8, left, 0, so, zo), {});
}

}  // namespace

TEST_CASE("add: PyTorch 2.13's body and tail part on a tie with an odd zero point", "[add]") {
  const Computed y = computed(sum(1, 0, 0, {70}, {70}, 2, 1), "pytorch-fbgemm");  // 0.5 + 1
  CHECK(y.q[0] == 1);
  CHECK(y.q[63] == 1);
  CHECK(y.q[64] == 2);  // 64 elements are one turn of the vector loop
  CHECK((y.events[0] & event::tie) != 0);
  CHECK(computed(sum(1, 0, 0, {2, 70}, {70}, 2, 1), "pytorch-fbgemm").q[70 + 63] == 1);  // a row is a loop of its own
  CHECK(computed(sum(1, 0, 0, {2, 70}, {70}, 2, 1), "pytorch-fbgemm").q[70 + 64] == 2);
  CHECK(computed(sum(1, 0, 0, {2, 70}, {2, 1}, 2, 1), "pytorch-fbgemm").q[63] == 1);     // a constant along the row is vectorized too
  CHECK(computed(sum(1, 0, 0, {70, 2}, {2}, 2, 1), "pytorch-fbgemm").q[0] == 2);         // rows of two have no body
}

TEST_CASE("add: QNNPACK rounds 22-bit products half away", "[add]") {
  CHECK(computed(sum(3, 0, 0, {4}, {4}, 2, 1), "pytorch-qnnpack").q[0] == 3);    // 1.5
  CHECK(computed(sum(5, 10, 10, {4}, {4}, 2, 10), "pytorch-qnnpack").q[0] == 7);  // -2.5
  CHECK(computed(sum(5, 10, 10, {4}, {4}, 2, 10), "pytorch-fbgemm").q[0] == 8);
}

TEST_CASE("add, mul: the real number", "[add]") {
  const Layer l = sum(5, 7, 3, {2}, {1}, 3, 0);
  CHECK(find_operator("add")->real(l, {}).exact(0).fraction() == "6");
  Layer p = layer_of("mul", {{"a", quantized(DType::int8, {2}, {-5, 7}, 0.5, 1)}, {"b", quantized(DType::int8, {1}, {3}, 0.25, 0)}}, filled(DType::int8, {2}, 0, 1, 0), {});
  CHECK(find_operator("mul")->real(p, {}).exact(0).fraction() == "-9/4");
  CHECK(computed(p, "pytorch-fbgemm").acc == std::vector<std::int64_t>{-18, 18});
}

TEST_CASE("mul: LiteRT's vectors add the zero point in wrapping int16", "[mul]") {
  // 37 elements of 200 * 200 * 5 far above the range: 32 in vectors of 16, then the scalar tail.
  const auto l = layer_of("mul", {{"a", filled(DType::int8, {37}, 100, 0.5, -100)}, {"b", filled(DType::int8, {37}, 100, 0.5, -100)}}, filled(DType::int8, {37}, 0, 0.05, 100), {}, {{"framework", "litert"}, {"version", "2.3.0"}});
  const Computed y = computed(l, "tflite-ruy-x86");
  CHECK(y.q[31] == -128);
  CHECK(y.q[32] == 127);
  CHECK((y.events[31] & event::wrapped) != 0);
  CHECK(computed(l, "tflite-reference").q[31] == 127);
}

TEST_CASE("cat: channels last in vectors of eight, contiguous through quantize", "[cat]") {
  const auto joined = [](const std::string& memory) {
    const auto x = filled(DType::uint8, {1, 9, 1, 2}, 1, 1, 0, memory);
    return computed(layer_of("cat", {{"x0", x}, {"x1", x}}, filled(DType::uint8, {1, 18, 1, 2}, 0, 2, 1, memory), {{"dim", std::int64_t{1}}}), "pytorch-fbgemm").q;
  };
  const auto nhwc = joined("NHWC");
  CHECK(nhwc[0] == 1);
  CHECK(nhwc[7 * 2] == 1);
  CHECK(nhwc[8 * 2] == 2);
  CHECK(joined("NCHW")[0] == 2);
}

TEST_CASE("TensorIterator: the output's layout orders the axes, a strided input has no body", "[tensor_iterator]") {
  const Shape s{2, 3, 5, 7};
  const auto nchw = memory_strides(s, "NCHW"), nhwc = memory_strides(s, "NHWC");
  CHECK(nhwc == std::vector<std::int64_t>{105, 1, 21, 3});
  const auto counted = [](const std::vector<char>& b) { return std::count(b.begin(), b.end(), 1); };
  CHECK(counted(vector_body(s, {nchw, nchw}, 64)) == 192);   // 210 in one loop
  CHECK(counted(vector_body(s, {nhwc, nhwc}, 64)) == 192);
  CHECK(counted(vector_body(s, {nchw, nhwc}, 4)) == 0);
  CHECK(counted(vector_body(s, {nchw, nchw}, 0)) == 0);
  CHECK(vector_body(s, {nhwc, nhwc}, 64)[1] == 1);            // the second pixel comes third in memory
  CHECK(vector_body(s, {nhwc, nhwc}, 64).back() == 0);
}

TEST_CASE("scalars: the zero point moves, or the scale grows; a negative factor mirrors", "[scalar]") {
  const auto x = quantized(DType::uint8, {4}, {5, 20, 30, 1}, 0.5, 10);
  const Computed sum = computed(layer_of("add_scalar", {{"a", x}}, filled(DType::uint8, {4}, 0, 0.8725490196078431, 0), {{"other", 100.0}}), "pytorch-fbgemm");
  CHECK(sum.q == Values{112, 120, 126, 109});
  CHECK(sum.chosen->scale_of(0) == 0.8725490196078431);
  const Computed product = computed(layer_of("mul_scalar", {{"a", x}}, filled(DType::uint8, {4}, 0, 1, 245), {{"other", -2.0}}), "pytorch-fbgemm");
  CHECK(product.q == Values{250, 235, 225, 254});
  CHECK(product.chosen->zero_point_of(0) == 245);
}

TEST_CASE("prelu, softmax: recorded from PyTorch", "[activation]") {
  const auto x = quantized(DType::uint8, {2, 2}, {5, 20, 30, 1}, 0.5, 10), w = quantized(DType::uint8, {2}, {3, 200}, 0.25, 8);
  CHECK(computed(layer_of("prelu", {{"x", x}, {"weight", w}}, filled(DType::uint8, {2, 2}, 0, 0.5, 20), {}), "pytorch-fbgemm").q == Values{26, 30, 40, 0});
  const auto row = quantized(DType::uint8, {1, 3}, {0, 100, 255}, 0.02, 10);
  const auto l = layer_of("softmax", {{"x", row}}, filled(DType::uint8, {1, 3}, 0, 1.0 / 256, 0), {{"dim", std::int64_t{1}}});
  CHECK(computed(l, "pytorch-qnnpack").q == Values{1, 11, 244});
  const Real real = find_operator("softmax")->real(l, {});
  CHECK((real.exact(0) + real.exact(1) + real.exact(2)).to_double() == 1.0);
}

TEST_CASE("SLEEF: ends and the value that float64 rounds otherwise", "[sleef]") {
  CHECK(sleef::expf(0) == 1.0f);
  CHECK(sleef::expf(-104.5f) == 0.0f);
  CHECK(sleef::expf(100.5f) == HUGE_VALF);
  CHECK(sleef::expm1f(-16.7f) == -1.0f);
  CHECK(sleef::tanhf(-9.0f) == -1.0f);
  CHECK(sleef::tanhf(0.25f) == static_cast<float>(std::tanh(0.25)));
}

TEST_CASE("fixed point: exp, logistic and tables at their ends", "[gemmlowp]") {
  CHECK(gemmlowp::exp_on_negative_values(0, 5, 32) == 2147483647);
  CHECK(gemmlowp::logistic(0, 3, 16) == 16384);
  CHECK(gemmlowp::tanh(0, 3, 16) == 0);
  CHECK(gemmlowp::tanh(-32768, 3, 16) == -gemmlowp::tanh(32767, 3, 16));
  CHECK(table_sigmoid16(0, 0x1p-12f) == 16384);
  CHECK(table_sigmoid16(32767, 0x1p-12f) == 32757);  // 32768 * sigmoid(8) = 32757.01
  CHECK(table_tanh16(0, 0x1p-11f) == 0);
  CHECK(exp_table().values[512] == 32767);  // 1.0 does not fit 0.15
}

TEST_CASE("hardswish: LiteRT shifts 16 places and more to -1 and 1, zero to 1", "[hardswish]") {
  // LiteRT 2.3.0, builtin and reference kernels, x86: scale 1/512, zero point 0; y with zero point 3. Exponents -15, -16, -19.
  const auto y = [](double scale, const char* profile) {
    const Layer l = layer_of("hardswish", {{"x", quantized(DType::int8, {7}, {-128, -60, -1, 0, 1, 60, 127}, 1.0 / 512, 0)}}, quantized(DType::int8, {7}, Values(7), scale, 3), {}, {{"framework", "litert"}, {"version", "2.3.0"}, {"isa", "avx512_vnni"}});
    return computed(l, profile).q;
  };
  for (const char* profile : {"tflite-ruy-x86", "tflite-reference"}) {
    CHECK(y(static_cast<double>(0.55F), profile) == Values(7, 3));
    CHECK(y(static_cast<double>(1.1F), profile) == Values{2, 2, 2, 4, 4, 4, 4});
    CHECK(y(static_cast<double>(8.9F), profile) == Values{2, 2, 2, 4, 4, 4, 4});
  }
}

TEST_CASE("elementwise operators: what does not fit is refused", "[refusal]") {
  const auto x = filled(DType::uint8, {2, 3}, 1, 1, 0), y = filled(DType::uint8, {2, 3}, 0, 1, 0);
  const auto refused = [](const Layer& l, const std::string& why) { CHECK_THROWS_WITH(find_operator(l.op)->check(l), Contains(why)); };
  refused(layer_of("add", {{"a", x}, {"b", filled(DType::uint8, {2}, 1, 1, 0)}}, y, {}), "found the shapes [2, 3] and [2], expected shapes that broadcast");
  refused(layer_of("mul", {{"a", x}, {"b", floats({3}, {1, 2, 3})}}, y, {}), "input \"b\": found float32 with 0 scales");
  refused(layer_of("relu", {{"x", x}}, filled(DType::uint8, {3, 2}, 0, 1, 0), {}), "found the shape [3, 2], expected [2, 3]");
  refused(layer_of("celu", {{"x", x}}, y, {{"alpha", 0.0}}), "attribute \"alpha\": found 0");
  refused(layer_of("leaky_relu", {{"x", x}}, y, {{"negative_slope", 1e300}}), "beyond float32");
  refused(layer_of("gelu", {{"x", x}}, y, {{"approximate", std::string("erf")}}), "found \"erf\", expected none or tanh");
  refused(layer_of("add_scalar", {{"a", x}}, y, {{"other", 1e30}}), "expected one within int32");
  refused(layer_of("prelu", {{"x", x}, {"weight", filled(DType::uint8, {2}, 1, 1, 0)}}, y, {}), "found the shapes [2, 3] and [1, 2]");
  CHECK_THROWS_WITH(layer_of("cat", {{"x0", x}, {"x1", x}}, y, {{"dim", std::int64_t{2}}}), Contains("attribute \"dim\": found 2, expected -2 to 1"));
  CHECK_THROWS_WITH(layer_of("softmax", {{"x", x}}, y, {{"dim", std::int64_t{-3}}}), Contains("found -3 for 2 axes"));
}
