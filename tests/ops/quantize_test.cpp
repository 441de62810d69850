// Floats to integers: what each runtime does where they disagree. The expected values are the runtimes' own.
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "lib/rules/choose_qparams.hpp"
#include "lib/rules/quantize_value.hpp"
#include "lib/rules/vector_width.hpp"
#include "tests/ops/layers.hpp"

using namespace lastbit;

namespace {

constexpr Range u8{0, 255}, s8{-128, 127}, s4{-8, 7}, u4{0, 15}, s32{INT32_MIN, INT32_MAX};
const float not_a_number = std::numeric_limits<float>::quiet_NaN(), infinite = std::numeric_limits<float>::infinity();

std::int64_t q(QuantizeRule rule, float x, double scale, double zero_point, Range range) {
  Events ignored = 0;
  return quantize_value(rule, x, scale, zero_point, range, ignored);
}

}  // namespace

TEST_CASE("quantize: ties with an odd zero point: inside or outside the rounding", "[quantize]") {
  CHECK(q(QuantizeRule::outside, 2.5f, 1, 3, u8) == 5);       // PyTorch 1.13
  CHECK(q(QuantizeRule::inside_fused, 2.5f, 1, 3, u8) == 6);  // PyTorch 2.13.0
  CHECK(q(QuantizeRule::inside, 2.5f, 1, 3, u8) == 6);
  CHECK(q(QuantizeRule::divide_even, 2.5f, 1, 3, u8) == 5);
  CHECK(q(QuantizeRule::divide_away, 2.5f, 1, 3, u8) == 6);
}

TEST_CASE("quantize: 0.273939937 / 0.00214854861 is a tie by the reciprocal only", "[quantize]") {
  CHECK(q(QuantizeRule::outside, 0.273939937f, 0.00214854861, 0, u8) == 128);
  CHECK(q(QuantizeRule::divide_even, 0.273939937f, 0.00214854861, 0, u8) == 127);
}

TEST_CASE("quantize: NaN and numbers that no integer holds", "[quantize]") {
  CHECK(q(QuantizeRule::inside_fused, not_a_number, 1, 200, u8) == 255);  // PyTorch 2.13.0, per tensor
  CHECK(q(QuantizeRule::inside_nan_zero, not_a_number, 1, 200, u8) == 0);
  CHECK(q(QuantizeRule::inside, not_a_number, 1, 7, s8) == 0);            // PyTorch 2.13.0, per channel
  CHECK(q(QuantizeRule::inside, not_a_number, 1, 7, s32) == INT32_MIN);
  CHECK(q(QuantizeRule::inside_fused, infinite, 1, 200, u8) == 255);
  CHECK(q(QuantizeRule::outside_int64, infinite, 1, 3, u4) == 0);     // PyTorch, 4 bits
  CHECK(q(QuantizeRule::outside_int64, 3e9f, 1, 3, u4) == 15);
  CHECK(q(QuantizeRule::inside_wrap, 3e9f, 1, 3, u4) == 0);      // PyTorch, float qparams
  CHECK(q(QuantizeRule::inside_wrap, -3e9f, 1, 3, u4) == 15);
  CHECK(q(QuantizeRule::divide_even, not_a_number, 1, 3, s4) == -8);      // ONNX Runtime
  CHECK(q(QuantizeRule::divide_even_wrap, 1e20f, 1, 0, s4) == -8);
  CHECK(q(QuantizeRule::divide_even_wrap, 1e20f, 1, -1, s4) == 7);
}

TEST_CASE("quantize: an unknown rule is refused by name", "[quantize]") {
  CHECK_THROWS_WITH(quantize_rule("nearest", "cell 3"), Catch::Matchers::Contains("cell 3: found the quantize rule \"nearest\""));
}

TEST_CASE("choosing qparams at run time", "[quantize]") {
  const std::vector<float> x{-253, 257}, zeros(4), one{-127, 128, 0.5f};
  const auto onnx = choose_qparams("onnx", x, 0, 255, "");
  CHECK((onnx.scale == 2 && onnx.zero_point == 126));
  CHECK(choose_qparams("onnx", one, 0, 255, "").zero_point == 127);
  CHECK(choose_qparams("onnx", zeros, 0, 255, "").scale == 1);
  CHECK(choose_qparams("pytorch", zeros, 0, 255, "").scale == 0.1);
  const std::vector<float> bad{1, not_a_number};
  CHECK_THROWS_WITH(choose_qparams("pytorch", bad, 0, 255, "layer l"), Catch::Matchers::Contains("layer l: input \"x\": found a value that is not finite"));
}

TEST_CASE("dequantize: PyTorch's int32 difference wraps per tensor, not per channel", "[quantize]") {
  // PyTorch 2.13.0: _make_per_tensor_quantized_tensor(int32 values, 0.125, zero point).dequantize()
  const auto dequantized = [](Quantization qparams) {
    qparams.qmin = INT32_MIN, qparams.qmax = INT32_MAX;
    const std::vector<std::int32_t> codes{2147483647, INT32_MIN, 2147483000, 5};
    const Tensor x = Tensor::of_integers("x", DType::int32, {1, 4}, qparams, codes);
    return test::computed(test::layer_of("dequantize", {{"x", x}}, test::floats({1, 4}, {0, 0, 0, 0}), {}), "pytorch-fbgemm").f;
  };
  CHECK(dequantized({.scale = {0.125}, .zero_point = {-643}}) == std::vector<float>{-268435376.0f, -268435376.0f, 268435456.0f, 81.0f});
  CHECK(dequantized({.scale = {0.125}, .zero_point = {643}}) == std::vector<float>{268435376.0f, 268435376.0f, 268435296.0f, -79.75f});
  CHECK(dequantized({.scale = {0.125, 0.125, 0.125, 0.125}, .zero_point = {-643, -643, -643, -643}, .axis = 1}) == std::vector<float>{268435552.0f, -268435376.0f, 268435456.0f, 81.0f});
}

TEST_CASE("a profile's vectors have at least one element", "[quantize]") {
  Layer layer;
  layer.place = "dump: layer q";
  Cell cell;
  CHECK(vector_width(layer, cell, 1) == 1);
  cell.with["vector"] = "16";
  CHECK(vector_width(layer, cell, 1) == 16);
  for (const char* wrong : {"0", "-8", "many", "8x", ""}) {
    cell.with["vector"] = wrong;
    CHECK_THROWS_WITH(vector_width(layer, cell, 1), Catch::Matchers::Contains("dump: layer q: profile: parameter \"vector\": found \"" + std::string(wrong)));
  }
}
