// plain_causes_test.cpp: causes in operators that do not accumulate, and in layers whose channels in and out differ in number.
//
// Outputs are computed here, a float32 step at a time, by the profile's formula with one step changed.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <functional>

#include "tests/verifier/numbers.hpp"
#include "tests/verifier/verified.hpp"

using namespace lastbit;
using namespace lastbit::test;

namespace {

const std::vector<std::pair<const char*, std::function<double(double)>>> roundings{
    {"round:half-away", [](double v) { return std::round(v); }}, {"round:half-up", [](double v) { return std::floor(v + 0.5); }}, {"round:half-down", [](double v) { return std::ceil(v - 0.5); }},
    {"round:to-zero", [](double v) { return std::trunc(v); }},   {"round:floor", [](double v) { return std::floor(v); }},         {"round:ceil", [](double v) { return std::ceil(v); }}};

/// Spread values with a fixed pattern: no two neighbours alike, negative differences and positive ones.
int code(int i, int step) { return (i * step + i * i % 31) % 256; }

class Plants {
 public:
  explicit Plants(const std::string& profile) { dump_.profile = profile; }
  void add(Layer layer, const std::string& cause) {
    layer.name = std::to_string(dump_.layers.size()) + " " + cause;
    for (auto* ports : {&layer.inputs, &layer.outputs})
      for (auto& [port, t] : *ports) t.name = layer.name + "." + port;
    dump_.layers.push_back(std::move(layer));
    causes_.push_back(cause);
  }
  /// Every planted cause stands in the first group and leaves nothing; a layer planted with nothing is identical.
  void check() const {
    const auto layers = verified(dump_);
    REQUIRE(layers.size() == causes_.size());
    for (std::size_t i = 0; i < causes_.size(); ++i) {
      const LayerReport& l = layers[i];
      CAPTURE(l.name, l.mismatches, l.unexplained);
      if (causes_[i].empty()) {
        CHECK(l.mismatches == 0);
        continue;
      }
      CHECK(l.mismatches > 0);
      CHECK(l.unexplained == 0);
      REQUIRE(!l.causes.empty());
      CAPTURE(l.causes[0].name);
      CHECK((l.causes[0].name == causes_[i] || std::count(l.causes[0].group.begin(), l.causes[0].group.end(), causes_[i]) == 1));
    }
  }

 private:
  DumpToWrite dump_;
  std::vector<std::string> causes_;
};

constexpr int n = 600;

/// QLinearMul of ONNX Runtime: round(f32(f32(a*b) * m) + zo), a relu at the zero point.
Integers product(const std::function<double(double)>& round, double lowest, bool wraps = false, bool outside = false) {
  Integers y;
  for (int i = 0; i < n; ++i) {
    const float scaled = static_cast<float>((code(i, 7) - 100) * (code(i, 11) - 60)) * 0x1p-6f, moved = scaled + 33.0f;
    const double q = std::max(outside ? round(static_cast<double>(scaled)) + 33 : round(static_cast<double>(moved)), lowest);
    y.push_back(wraps ? static_cast<std::int32_t>(static_cast<std::int64_t>(q) & 255) : static_cast<std::int32_t>(std::min(q, 255.0)));
  }
  return y;
}

Layer mul_layer(const Integers& y) {
  Integers a, b;
  for (int i = 0; i < n; ++i) a.push_back(code(i, 7)), b.push_back(code(i, 11));
  Layer l;
  l.op = "mul";
  l.inputs.emplace("a", Tensor::of_integers("a", DType::uint8, {n}, qparams(0x1p-4f, 100, DType::uint8), a));
  l.inputs.emplace("b", Tensor::of_integers("b", DType::uint8, {n}, qparams(0x1p-5f, 60, DType::uint8), b));
  l.outputs.emplace("y", Tensor::of_integers("y", DType::uint8, {n}, qparams(0x1p-3f, 33, DType::uint8), y));
  l.attributes.values["activation"] = std::string("relu");
  return l;
}

}  // namespace

TEST_CASE("roundings, zero points and activations of a product are named", "[verifier][causes]") {
  Plants plants("onnxruntime");
  plants.add(mul_layer(product(half_even, 33)), "");
  for (const auto& [name, round] : roundings) {
    if (product(round, 33) != product(half_even, 33)) plants.add(mul_layer(product(round, 33)), name);
  }
  plants.add(mul_layer(product(half_even, 33, false, true)), "zero-point:after-rounding");
  plants.add(mul_layer(product(half_even, 0)), "activation:missing");
  plants.add(mul_layer(product(half_even, 33, true)), "output:wraps");
  plants.check();
}

TEST_CASE("an activation that clamps at the code 0 of a signed product is named", "[verifier][causes]") {
  Integers a, b, y, wrong;
  for (int i = 0; i < n; ++i) {
    a.push_back(code(i, 7) - 128), b.push_back(code(i, 11) - 128);
    const float scaled = static_cast<float>((a.back() - 20) * (b.back() + 9)) * 0x1p-7f;
    const double q = half_even(static_cast<double>(scaled + -40.0f));
    y.push_back(static_cast<std::int32_t>(std::clamp(q, -40.0, 127.0)));
    wrong.push_back(static_cast<std::int32_t>(std::clamp(q, 0.0, 127.0)));
  }
  const auto layer = [&](const Integers& out) {
    Layer l;
    l.op = "mul";
    l.inputs.emplace("a", Tensor::of_integers("a", DType::int8, {n}, qparams(0x1p-4f, 20, DType::int8), a));
    l.inputs.emplace("b", Tensor::of_integers("b", DType::int8, {n}, qparams(0x1p-5f, -9, DType::int8), b));
    l.outputs.emplace("y", Tensor::of_integers("y", DType::int8, {n}, qparams(0x1p-2f, -40, DType::int8), out));
    l.attributes.values["activation"] = std::string("relu");
    return l;
  };
  Plants plants("onnxruntime");
  plants.add(layer(y), "");
  plants.add(layer(wrong), "activation:at-zero");
  plants.check();
}

TEST_CASE("roundings of quantize are named", "[verifier][causes]") {
  std::vector<float> x;
  for (int i = 0; i < n; ++i) x.push_back(static_cast<float>(code(i, 13) - 128) * 0.0625f + (i % 3 ? 0.0f : 0.01f));
  const auto layer = [&](const std::function<double(double)>& round) {  // QuantizeLinear: rne(f32(x / s)) + z
    Integers y;
    for (const float v : x) y.push_back(static_cast<std::int32_t>(std::clamp(round(static_cast<double>(v / 0.125f)) + 3, -128.0, 127.0)));
    Layer l;
    l.op = "quantize";
    l.inputs.emplace("x", Tensor::of_floats("x", {n}, x));
    l.outputs.emplace("y", Tensor::of_integers("y", DType::int8, {n}, qparams(0.125f, 3, DType::int8), y));
    return l;
  };
  Plants plants("onnxruntime");
  plants.add(layer(half_even), "");
  for (const auto& [name, round] : roundings) plants.add(layer(round), name);
  plants.check();
}

TEST_CASE("roundings of an average are named", "[verifier][causes]") {
  constexpr int H = 16;
  Integers x;
  for (int i = 0; i < H * H; ++i) x.push_back(code(i, 7) - 128);
  const auto layer = [&](const std::function<double(double)>& round) {  // LiteRT: the codes' own mean
    Integers y;
    for (int r = 0; r < H; r += 2)
      for (int c = 0; c < H; c += 2) {
        int sum = 0;
        for (const int at : {r * H + c, r * H + c + 1, (r + 1) * H + c, (r + 1) * H + c + 1}) sum += x[static_cast<std::size_t>(at)];
        y.push_back(static_cast<std::int32_t>(round(sum / 4.0)));
      }
    Layer l;
    l.op = "avg_pool2d";
    l.inputs.emplace("x", Tensor::of_integers("x", DType::int8, {1, 1, H, H}, qparams(0.5f, 9, DType::int8), x));
    l.outputs.emplace("y", Tensor::of_integers("y", DType::int8, {1, 1, H / 2, H / 2}, qparams(0.5f, 9, DType::int8), y));
    l.attributes.values["kernel_size"] = std::vector<std::int64_t>{2, 2};
    l.attributes.values["stride"] = std::vector<std::int64_t>{2, 2};
    return l;
  };
  Plants plants("tflite-reference");
  plants.add(layer([](double v) { return std::round(v); }), "");
  plants.add(layer(half_even), "round:half-even");
  plants.add(layer([](double v) { return std::trunc(v); }), "round:to-zero");
  plants.add(layer([](double v) { return std::floor(v); }), "round:floor");
  plants.check();
}

TEST_CASE("a weight read with its axes swapped is named either way round, a power of two by either nearness", "[verifier][causes]") {
  constexpr int rows = 40, C = 12, O = 5;
  Integers x, w;
  for (int i = 0; i < rows * C; ++i) x.push_back(code(i, 7));
  for (int i = 0; i < O * C; ++i) w.push_back(code(i, 29) % 61 - 30);
  // m = 1.45 * 2^-9: the nearer power of two is 2^-9, on a logarithmic scale 2^-8.
  const float si = 0x1p-5f, sw = 1.45f * 0x1p-6f, so = 0x1p-2f;
  const auto layer = [&](const std::function<std::size_t(int o, int c)>& at, float multiplier) {  // rne(f32(acc) * m) + zo
    Integers y;
    for (int r = 0; r < rows; ++r)
      for (int o = 0; o < O; ++o) {
        int acc = 0;
        for (int c = 0; c < C; ++c) acc += (x[static_cast<std::size_t>(r * C + c)] - 120) * w[at(o, c)];
        const float scaled = static_cast<float>(acc) * multiplier;
        y.push_back(static_cast<std::int32_t>(std::clamp(half_even(static_cast<double>(scaled)) + 100, 0.0, 255.0)));
      }
    Layer l;
    l.op = "linear";
    l.inputs.emplace("x", Tensor::of_integers("x", DType::uint8, {rows, C}, qparams(si, 120, DType::uint8), x));
    l.inputs.emplace("weight", Tensor::of_integers("w", DType::int8, {O, C}, qparams(sw, 0, DType::int8), w));
    l.outputs.emplace("y", Tensor::of_integers("y", DType::uint8, {rows, O}, qparams(so, 100, DType::uint8), y));
    return l;
  };
  const float scale = si * sw, m = scale / so;
  const auto own = [](int o, int c) { return static_cast<std::size_t>(o * C + c); };
  Plants plants("pytorch-fbgemm");
  plants.add(layer(own, m), "");
  plants.add(layer([](int o, int c) { return static_cast<std::size_t>(c * O + o); }, m), "weight:transposed");
  plants.add(layer([](int o, int c) { return static_cast<std::size_t>((o * C + c) % O * C + (o * C + c) / O); }, m), "weight:transposed");
  plants.add(layer(own, 0x1p-9f), "multiplier:power-of-two");
  plants.add(layer(own, 0x1p-8f), "multiplier:power-of-two");
  plants.check();
}
