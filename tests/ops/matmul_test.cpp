// Matrix products: who is refused, what broadcasts, and how far an unordered float32 sum may be from the real one.
#include <catch2/catch.hpp>

#include "lib/error.hpp"
#include "lib/layer/operator.hpp"
#include "lib/rules/unordered_sum.hpp"
#include "tests/ops/layers.hpp"

using namespace lastbit;

namespace {

Tensor integers(DType type, Shape shape, std::vector<std::int32_t> v, double scale, double zero_point) {
  Quantization q{.scale = {scale}, .zero_point = {zero_point}};
  q.qmin = info(type).min, q.qmax = info(type).max;
  return Tensor::of_integers("t", type, std::move(shape), q, v);
}

Layer product(Tensor a, Tensor b, Tensor y) {
  Layer l;
  l.name = l.place = "layer m";
  l.op = "matmul";
  l.inputs = {{"a", std::move(a)}, {"b", std::move(b)}};
  l.outputs = {{"y", std::move(y)}};
  l.producer.fields = {{"framework", "onnxruntime"}, {"version", "1.31.1"}, {"isa", "avx512_vnni"}};
  l.facts = common_facts(l);
  return l;
}

}  // namespace

TEST_CASE("matmul: axes before the last two broadcast, and 2.5 goes to the even side", "[matmul]") {
  const Operator& op = *find_operator("matmul");
  // a [2, 1, 2], b [2, 1] shared: rows (1, 2) and (3, 2), times (1, 1) - zero point 0, scale 1 / 2
  Layer l = product(integers(DType::uint8, {2, 1, 2}, {11, 12, 13, 12}, 1, 10), integers(DType::int8, {2, 1}, {1, 1}, 0.5, 0), integers(DType::uint8, {2, 1, 1}, {0, 0}, 1, 7));
  op.check(l);
  const Result r = op.run(l, *cell_for(find_profile("onnxruntime"), op, l));
  CHECK(r.outputs.at("y").acc == std::vector<std::int64_t>{3, 5});
  CHECK(r.outputs.at("y").q == std::vector<std::int32_t>{7 + 2, 7 + 2});  // 1.5 and 2.5
  CHECK((r.outputs.at("y").events[0] & event::tie) != 0);
  const Real real = op.real(l, r);
  CHECK(real.exact(1).fraction() == "5/2");
}

TEST_CASE("matmul: a vector is a matrix of one row or column", "[matmul]") {
  const Operator& op = *find_operator("matmul");
  const auto result = [&](const Tensor& a, const Tensor& b, const Tensor& y) {
    const Layer l = product(a, b, y);
    op.check(l);
    return op.run(l, *cell_for(find_profile("onnxruntime"), op, l)).outputs.at("y").q;
  };
  const auto matrix = integers(DType::int8, {2, 2}, {1, 2, 3, 4}, 1, 0), vector = integers(DType::uint8, {2}, {1, 10}, 1, 0);
  CHECK(result(vector, matrix, integers(DType::uint8, {2}, {0, 0}, 1, 0)) == std::vector<std::int32_t>{31, 42});
  CHECK(result(integers(DType::uint8, {2, 2}, {1, 2, 3, 4}, 1, 0), integers(DType::int8, {2}, {1, 10}, 1, 0), integers(DType::uint8, {2}, {0, 0}, 1, 0)) == std::vector<std::int32_t>{21, 43});
  CHECK(result(vector, integers(DType::int8, {2}, {1, 10}, 1, 0), integers(DType::uint8, {}, {0}, 1, 0)) == std::vector<std::int32_t>{101});
}

TEST_CASE("matmul: what does not fit is refused", "[matmul]") {
  const Operator& op = *find_operator("matmul");
  const auto a = integers(DType::uint8, {2, 3}, {1, 2, 3, 4, 5, 6}, 1, 0), y = integers(DType::uint8, {2, 2}, {0, 0, 0, 0}, 1, 0);
  CHECK_THROWS_WITH(op.check(product(a, integers(DType::int8, {2, 3}, {1, 2, 3, 4, 5, 6}, 1, 0), y)), Catch::Matchers::Contains("layer m: found the shapes [2, 3] and [2, 3]"));
  CHECK_THROWS_WITH(op.check(product(a, integers(DType::int8, {3}, {1, 2, 3}, 1, 0), y)), Catch::Matchers::Contains("expected [2]"));
  CHECK_THROWS_WITH(op.check(product(a, integers(DType::int8, {}, {1}, 1, 0), y)), Catch::Matchers::Contains("expected at least one axis"));
  auto rows = integers(DType::int8, {3, 2}, {1, 2, 3, 4, 5, 6}, 1, 0);
  rows.q.scale = {1, 2, 3}, rows.q.axis = 0;
  CHECK_THROWS_WITH(op.check(product(a, rows, y)), Catch::Matchers::Contains("found scales along axis 0"));
}

TEST_CASE("unordered sums: one product is exact, cancellation is as wide as its terms", "[float_sum]") {
  UnorderedSum one;
  one.multiply_add(0.1f, 0.3f);
  CHECK(range_of(one).lo == range_of(one).hi);
  CHECK(range_of(one).lo == 0.1f * 0.3f);
  UnorderedSum cancelling;  // 2^24 + 1 - 2^24 in float32: 0 or 1, by the order
  cancelling.add(16777216), cancelling.add(1), cancelling.add(-16777216);
  CHECK(range_of(cancelling).lo <= 0);
  CHECK(range_of(cancelling).hi >= 1);
  UnorderedSum wild;
  wild.add(HUGE_VAL);
  wild.add(1);
  CHECK(range_of(wild).hi == HUGE_VALF);
}

TEST_CASE("qnnpack: a bias beyond int32 is the largest integer, but the smallest where convolution kernels read it", "[bias]") {
  // PyTorch 2.13.0, engine qnnpack, x86: codes 4, 5, 6 with zero point 5, weights 1, all scales 1, bias 3e9, y of scale 1e8 and
  // zero point 100. -1 wraps INT_MIN to INT_MAX, +1 INT_MAX to INT_MIN: 121 and 79.
  using Ints = std::vector<std::int64_t>;
  const auto q = [](const std::string& op, Shape x, Shape w, Shape y, std::map<std::string, Attribute> a) {
    const std::vector<std::int32_t> ones(static_cast<std::size_t>(count(w)), 1), zeros(3);
    return test::computed(test::layer_of(op, {{"x", test::quantized(DType::uint8, std::move(x), {4, 5, 6}, 1, 5)}, {"weight", test::quantized(DType::int8, std::move(w), ones, 1, 0)}, {"bias", test::floats({1}, {3e9F})}},
                                         test::quantized(DType::uint8, std::move(y), zeros, 1e8, 100), std::move(a)), "pytorch-qnnpack").q;
  };
  const std::vector<std::int32_t> largest{121, 121, 79}, smallest{121, 79, 79};
  CHECK(q("linear", {3, 1}, {1, 1}, {3, 1}, {}) == largest);
  CHECK(q("conv2d", {1, 1, 1, 3}, {1, 1, 1, 1}, {1, 1, 1, 3}, {}) == largest);
  CHECK(q("conv_transpose2d", {1, 1, 1, 3}, {1, 1, 1, 1}, {1, 1, 1, 3}, {}) == smallest);
  CHECK(q("conv2d", {3, 1, 1, 1}, {1, 1, 2, 1}, {3, 1, 1, 1}, {{"padding", Ints{1, 0}}, {"stride", Ints{2, 1}}}) == smallest);  // the first tap in the padding
}
