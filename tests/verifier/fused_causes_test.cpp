// fused_causes_test.cpp: causes in a convolution with a sum behind it (conv2d_add), and in layers that read a neighbour's tensor.
//
// All scales are powers of two, so that y = rne(max(acc*si*sw + bias + (a - za)*sa, 0) / so + zo) is exact in float64 up to the rounding.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <functional>

#include "tests/verifier/numbers.hpp"
#include "tests/verifier/verified.hpp"

using namespace lastbit;
using namespace lastbit::test;

namespace {

constexpr int C = 4, O = 6, H = 12, P = H * H;
constexpr int zx = 131, za = 90, zo = 40;

/// One thing wrong; nothing by default.
struct Fault {
  std::function<double(double)> round = half_even;
  bool bias = true, relu = true, flipped = false, transposed = false, scales_shifted = false;
  int pad = zx, zero_point = zo, bits = 0, moved_a = 0;
};

struct FusedSum {
  Integers x, w, a;
  std::vector<float> bias;
  FusedSum() {
    Draw draw{77};
    for (int i = 0; i < C * P; ++i) x.push_back(draw(0, 255));
    for (int i = 0; i < O * C * 9; ++i) w.push_back(draw(-5, 5));
    for (int i = 0; i < O * P; ++i) a.push_back(draw(0, 255));
    for (int o = 0; o < O; ++o) bias.push_back(static_cast<float>(draw(-300, 300)) * 0x1p-4f);
  }
  static float weight_scale(int o) { return o % 2 ? 0x1p-2f : 0x1p-3f; }

  Integers output(const Fault& f) const {
    Integers y;
    for (int o = 0; o < O; ++o)
      for (int p = 0; p < P; ++p) {
        int acc = 0;
        for (int c = 0; c < C; ++c)
          for (int k = 0; k < 9; ++k) {
            const int row = p / H + k / 3 - 1, column = p % H + k % 3 - 1;
            const bool outside = row < 0 || column < 0 || row >= H || column >= H;
            const int from = f.transposed ? c * O + o : o * C + c, tap = f.flipped ? 8 - k : k;
            acc += ((outside ? f.pad : x[static_cast<std::size_t>(c * P + row * H + column)]) - zx) * w[static_cast<std::size_t>(from * 9 + tap)];
          }
        if (f.bits) {
          const int codes = 1 << f.bits;
          acc = ((acc % codes) + codes) % codes;
          if (acc >= codes / 2) acc -= codes;
        }
        const int code = (a[static_cast<std::size_t>(o * P + p)] + f.moved_a) % 256;
        double t = static_cast<double>(acc) * 0x1p-5 * static_cast<double>(weight_scale(f.scales_shifted ? (o + O - 1) % O : o));
        t += (f.bias ? static_cast<double>(bias[static_cast<std::size_t>(o)]) : 0) + (code - za) * 0x1p-3;
        if (f.relu) t = std::max(t, 0.0);
        y.push_back(static_cast<std::int32_t>(std::clamp(f.round(t * 4 + f.zero_point), 0.0, 255.0)));
      }
    return y;
  }
  Layer layer(const std::string& name, const Integers& y) const {
    Layer l;
    l.name = name;
    l.op = "conv2d_add";
    Quantization qw = qparams(1, 0, DType::int8);
    qw.axis = 0;
    qw.scale.clear();
    for (int o = 0; o < O; ++o) qw.scale.push_back(static_cast<double>(weight_scale(o)));
    qw.zero_point.assign(O, 0);
    l.inputs.emplace("x", Tensor::of_integers(name + ".x", DType::uint8, {1, C, H, H}, qparams(0x1p-5f, zx, DType::uint8), x));
    l.inputs.emplace("weight", Tensor::of_integers(name + ".w", DType::int8, {O, C, 3, 3}, qw, w));
    l.inputs.emplace("bias", Tensor::of_floats(name + ".b", {O}, bias));
    l.inputs.emplace("a", Tensor::of_integers(name + ".a", DType::uint8, {1, O, H, H}, qparams(0x1p-3f, za, DType::uint8), a));
    l.outputs.emplace("y", Tensor::of_integers(name + ".y", DType::uint8, {1, O, H, H}, qparams(0x1p-2f, zo, DType::uint8), y));
    l.attributes.values["padding"] = std::vector<std::int64_t>{1, 1};
    l.attributes.values["activation"] = std::string("relu");
    return l;
  }
};

}  // namespace

TEST_CASE("every cause in a convolution with a sum behind it is found, named first, and explains all", "[verifier][causes]") {
  const FusedSum t;
  const auto with = [](auto set) {
    Fault f;
    set(f);
    return f;
  };
  const std::vector<std::pair<std::string, Fault>> plants{
      {"bias:dropped", with([](Fault& f) { f.bias = false; })},
      {"activation:missing", with([](Fault& f) { f.relu = false; })},
      {"kernel:flipped", with([](Fault& f) { f.flipped = true; })},
      {"weight:transposed", with([](Fault& f) { f.transposed = true; })},
      {"weight-scale:shifted", with([](Fault& f) { f.scales_shifted = true; })},
      {"padding:zero", with([](Fault& f) { f.pad = 0; })},
      {"padding:stale", with([](Fault& f) { f.pad = 17; })},
      {"zero-point:stale", with([](Fault& f) { f.zero_point = 51; })},
      {"accumulator:11-wrap", with([](Fault& f) { f.bits = 11; })},
      {"offset:128", with([](Fault& f) { f.moved_a = 128; })},
      {"round:half-away", with([](Fault& f) { f.round = [](double v) { return std::round(v); }; })},
      {"round:half-down", with([](Fault& f) { f.round = [](double v) { return std::ceil(v - 0.5); }; })},
      {"round:floor", with([](Fault& f) { f.round = [](double v) { return std::floor(v); }; })},
  };
  DumpToWrite dump;
  const Integers clean = t.output({});
  dump.layers.push_back(t.layer("clean", clean));
  for (const auto& [name, fault] : plants) {
    const Integers y = t.output(fault);
    CAPTURE(name);
    REQUIRE((y != clean));
    dump.layers.push_back(t.layer(name, y));
  }
  set_pytorch(dump, "onednn");
  const auto layers = verified(dump);
  REQUIRE(layers.size() == plants.size() + 1);
  CHECK(layers[0].mismatches == 0);
  for (std::size_t i = 0; i < plants.size(); ++i) {
    CAPTURE(plants[i].first, layers[i + 1].causes.empty() ? "" : layers[i + 1].causes[0].name);
    CHECK(named_first(layers[i + 1], plants[i].first));
    CHECK(layers[i + 1].unexplained == 0);
  }
}

TEST_CASE("a layer fed by its neighbour's tensor is named however many tensors have that shape", "[verifier][causes]") {
  // Thirty products a * b, one after the other; one of the last reads what the layer before it wrote instead of its own a.
  constexpr int layers = 30, size = 200, wrong = 25;
  Draw draw{5};
  DumpToWrite dump;
  std::vector<Integers> all_a, all_y;
  for (int k = 0; k < layers; ++k) {
    Integers a, b, y;
    for (int i = 0; i < size; ++i) a.push_back(draw(0, 255)), b.push_back(draw(0, 255));
    const Integers& read = k == wrong ? all_y.back() : a;
    for (int i = 0; i < size; ++i) {
      const auto at = static_cast<std::size_t>(i);
      y.push_back(static_cast<std::int32_t>(std::clamp(half_even((read[at] - 120) * (b[at] - 130) * 0x1p-7) + 125, 0.0, 255.0)));
    }
    Layer l;
    l.name = "mul" + std::to_string(k);
    l.op = "mul";
    const std::string n = l.name;
    l.inputs.emplace("a", Tensor::of_integers(n + ".a", DType::uint8, {2, 100}, qparams(0x1p-5f, 120, DType::uint8), a));
    l.inputs.emplace("b", Tensor::of_integers(n + ".b", DType::uint8, {2, 100}, qparams(0x1p-5f, 130, DType::uint8), b));
    l.outputs.emplace("y", Tensor::of_integers(n + ".y", DType::uint8, {2, 100}, qparams(0x1p-3f, 125, DType::uint8), y));
    dump.layers.push_back(std::move(l));
    all_a.push_back(a), all_y.push_back(y);
  }
  set_pytorch(dump);
  const auto reports = verified(dump);
  REQUIRE(reports.size() == layers);
  for (int k = 0; k < layers; ++k) {
    const LayerReport& r = reports[static_cast<std::size_t>(k)];
    CAPTURE(r.name, r.causes.empty() ? "" : r.causes[0].name);
    CHECK((r.mismatches > 0) == (k == wrong));
    if (k != wrong) continue;
    CHECK(named_first(r, "input:mul24.y"));
    CHECK(r.unexplained == 0);
  }
}
