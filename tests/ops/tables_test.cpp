// Gates as ranges, tables of rows, weight-only layers: what is certain, what is a range, what is refused.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>

#include "lib/error.hpp"
#include "lib/layer/operator.hpp"
#include "lib/num/float.hpp"
#include "lib/rules/gates.hpp"

using namespace lastbit;

namespace {

Tensor table(std::vector<std::int32_t> v, Shape shape, std::vector<double> scale, std::vector<double> zero_point) {
  Quantization q{.scale = std::move(scale), .zero_point = std::move(zero_point), .axis = 0};
  q.qmax = 255;
  q.float_zero_point = true;
  return Tensor::of_integers("weight", DType::uint8, std::move(shape), q, v);
}

Tensor integers64(std::vector<std::int64_t> v) {
  std::vector<std::byte> bytes(v.size() * 8);
  std::memcpy(bytes.data(), v.data(), bytes.size());
  Quantization q;
  q.qmin = INT64_MIN, q.qmax = INT64_MAX;
  return Tensor::of("i", DType::int64, {static_cast<std::int64_t>(v.size())}, q, bytes);
}

Layer bag(std::vector<std::int64_t> indices, std::vector<std::int64_t> offsets) {
  Layer l;
  l.name = l.place = "layer e";
  l.op = "embedding_bag";
  l.inputs = {{"weight", table({1, 2, 3, 4, 5, 6}, {3, 2}, {0.5, 1, 2}, {0, 1, 0.5})}, {"indices", integers64(std::move(indices))}, {"offsets", integers64(offsets)}};
  l.outputs = {{"y", Tensor::of_floats("y", {static_cast<std::int64_t>(offsets.size()), 2}, std::vector<float>(offsets.size() * 2))}};
  l.producer.fields = {{"framework", "pytorch"}, {"version", "2.13.0"}, {"engine", "fbgemm"}};
  l.facts = common_facts(l);
  return l;
}

std::int64_t width(FloatRange r) { return ordinal(r.hi) - ordinal(r.lo); }

}  // namespace

TEST_CASE("gates: a range holds the rounded value and is a few ulp wide", "[gates]") {
  for (const float x : {-30.0f, -5.5f, -0.25f, 0.0f, 1e-6f, 0.7f, 3.0f, 16.0f}) {
    const double s = 1 / (1 + std::exp(-static_cast<double>(x))), t = std::tanh(static_cast<double>(x));
    const FloatRange sigmoid = sigmoid_range(x), tanh = tanh_range({x, x});
    CHECK(ordinal(sigmoid.lo) <= ordinal(static_cast<float>(s)) + 1);  // 1 + e is rounded: the nearest value may be out of reach
    CHECK(ordinal(sigmoid.hi) >= ordinal(static_cast<float>(s)) - 1);
    CHECK(width(sigmoid) <= 8);
    CHECK(tanh.lo <= static_cast<float>(t));
    CHECK(tanh.hi >= static_cast<float>(t));
    CHECK(width(tanh) <= 6);
  }
  CHECK(sigmoid_range(200).lo == 1.0f);
  CHECK(sigmoid_range(-200).hi == 0.0f);
  CHECK(tanh_range({50, 50}).hi == 1.0f);
}

TEST_CASE("gates: a state that a gate shuts out does not move", "[gates]") {
  CHECK(gru_step(0, 200, 0.5f, 0.25f, 0.75f).lo <= 0.75f);  // z = 1: h' = (h - n) * 1 + n
  const LstmStep step = lstm_step(-200, 200, 3, 200, {0.5f, 0.5f});
  CHECK(step.c.lo == 0.5f);
  CHECK(step.c.hi == 0.5f);
}

TEST_CASE("embedding_bag: rows are added in order, mean is ignored by PyTorch", "[embedding]") {
  const Operator& op = *find_operator("embedding_bag");
  Layer l = bag({0, 2, 1}, {0, 2});
  l.attributes.values["mode"] = std::string("mean");
  op.check(l);
  const Result r = op.run(l, *cell_for(find_profile("pytorch-fbgemm"), op, l));
  CHECK(r.outputs.at("y").f == std::vector<float>{0.5f + 9, 1 + 11, 2, 3});
  CHECK(op.real(l, r).exact(0).fraction() == "19/4");
}

TEST_CASE("embedding_bag: indices and offsets outside are refused", "[embedding]") {
  const Operator& op = *find_operator("embedding_bag");
  CHECK_THROWS_WITH(op.check(bag({0, 3}, {0})), Catch::Matchers::Contains("layer e: input \"indices\": found 3 at 1"));
  CHECK_THROWS_WITH(op.check(bag({0, -1}, {0})), Catch::Matchers::Contains("found -1 at 1"));
  CHECK_THROWS_WITH(op.check(bag({0, 1}, {1, 0})), Catch::Matchers::Contains("input \"offsets\": found 0 at 1"));
  CHECK_THROWS_WITH(op.check(bag({0, 1}, {0, 9})), Catch::Matchers::Contains("found 9 at 1"));
}
