// run_causes_test.cpp: causes in layers that are run anew, for they do not sum in one window: recurrent, weight-only, embeddings.
//
// Numbers that dumps of runtimes lack: weights with zero points, and a scale for every channel, in an LSTM. x and h lie on a grid of 2^-6
// from -128 to 127 steps, so that what is chosen at run time is scale 2^-6 and zero point 128, and every value is exact.
#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <functional>

#include "tests/verifier/numbers.hpp"
#include "tests/verifier/verified.hpp"

using namespace lastbit;
using namespace lastbit::test;

namespace {

using Floats = std::vector<float>;

template <class Twin, class Fault>
void check_all(const Twin& twin, const std::vector<std::pair<std::string, Fault>>& plants) {
  DumpToWrite dump;
  dump.layers.push_back(twin.layer("clean", {}));
  for (std::size_t i = 0; i < plants.size(); ++i) dump.layers.push_back(twin.layer(plants[i].first + "/" + std::to_string(i), plants[i].second));
  set_pytorch(dump);
  const auto layers = verified(dump);
  REQUIRE(layers.size() == plants.size() + 1);
  CHECK(layers[0].mismatches == 0);
  for (std::size_t i = 0; i < plants.size(); ++i) {
    CAPTURE(layers[i + 1].name, layers[i + 1].causes.empty() ? "" : layers[i + 1].causes[0].name);
    CHECK(layers[i + 1].mismatches > 0);
    CHECK(named_first(layers[i + 1], plants[i].first));
    CHECK(layers[i + 1].unexplained == 0);
  }
}

// ---- an LSTM of one step -----------------------------------------------------------------------------------------------

constexpr int N = 3, I = 8, H = 6, G = 4 * H;

struct LstmFault {
  std::array<int, 4> order{0, 1, 2, 3};
  bool bias_ih = true, bias_hh = true, zero_points = true, by_gate = false;
  int scale_of = 0;  // 1: the channel before; 2: the first
  int bits = 0;
};

struct Lstm {
  Integers x, h, wih, whh;
  Floats bih, bhh, c;
  Lstm() {
    Draw draw{11};
    const auto grid = [&](int n) {
      Integers v;
      for (int k = 0; k < n; ++k) v.push_back(k == 1 ? -128 : k == 3 ? 127 : draw(-60, 60));
      return v;
    };
    x = grid(N * I), h = grid(N * H);
    for (int k = 0; k < G * I; ++k) wih.push_back(draw(-90, 90));
    for (int k = 0; k < G * H; ++k) whh.push_back(draw(-90, 90));
    for (int k = 0; k < G; ++k) bih.push_back(static_cast<float>(draw(-64, 64)) * 0x1p-6f), bhh.push_back(static_cast<float>(draw(-64, 64)) * 0x1p-6f);
    for (int k = 0; k < N * H; ++k) c.push_back(static_cast<float>(draw(-64, 64)) * 0x1p-6f);
  }
  static float scale(int o) { return o % 3 == 0 ? 0x1p-8f : o % 3 == 1 ? 0x1p-9f : 0x1p-10f; }
  static int zero_point(int o) { return o % 5 - 7; }
  static Floats real(const Integers& v) {
    Floats f;
    for (const auto q : v) f.push_back(static_cast<float>(q) * 0x1p-6f);
    return f;
  }
  /// Row n of v times the weight's row o, by the fault.
  static float sum(const Integers& v, const Integers& w, const Floats& bias, bool biased, int K, int n, int o, const LstmFault& f) {
    const int block = o / H, row = o % H;
    int acc = 0;
    for (int k = 0; k < K; ++k) {
      const int flat = row * K + k, at = f.by_gate ? block * H * K + flat % H * K + flat / H : o * K + k;
      acc += v[static_cast<std::size_t>(n * K + k)] * (w[static_cast<std::size_t>(at)] - (f.zero_points ? zero_point(o) : 0));
    }
    if (f.bits) {
      const int codes = 1 << f.bits;
      acc = ((acc % codes) + codes) % codes;
      if (acc >= codes / 2) acc -= codes;
    }
    const float m = 0x1p-6f * scale(f.scale_of == 2 ? 0 : f.scale_of == 1 ? (o + G - 1) % G : o);
    return static_cast<float>(acc) * m + (biased ? bias[static_cast<std::size_t>(o)] : 0.0f);  // powers of two: the product is exact
  }
  Layer layer(const std::string& name, const LstmFault& f) const {
    Floats y, after;
    const auto sigmoid = [](float v) { return 1.0f / (1.0f + static_cast<float>(std::exp(-static_cast<double>(v)))); };
    const auto tanh = [](float v) { return static_cast<float>(std::tanh(static_cast<double>(v))); };
    for (int n = 0; n < N; ++n)
      for (int u = 0; u < H; ++u) {
        std::array<float, 4> s{};
        for (std::size_t k = 0; k < 4; ++k) {
          const int o = f.order[k] * H + u;
          s[k] = sum(x, wih, bih, f.bias_ih, I, n, o, f) + sum(h, whh, bhh, f.bias_hh, H, n, o, f);
        }
        const float kept = sigmoid(s[1]) * c[static_cast<std::size_t>(n * H + u)], added = sigmoid(s[0]) * tanh(s[2]), cell = kept + added;
        after.push_back(cell);
        y.push_back(sigmoid(s[3]) * tanh(cell));
      }
    Layer l;
    l.name = name, l.op = "lstm_dynamic";
    Quantization q = qparams(1, 0, DType::int8);
    q.axis = 0, q.scale.clear(), q.zero_point.clear();
    for (int o = 0; o < G; ++o) q.scale.push_back(static_cast<double>(scale(o))), q.zero_point.push_back(zero_point(o));
    l.inputs.emplace("x", Tensor::of_floats(name + ".x", {1, N, I}, real(x)));
    l.inputs.emplace("h", Tensor::of_floats(name + ".h", {1, N, H}, real(h)));
    l.inputs.emplace("c", Tensor::of_floats(name + ".c", {1, N, H}, c));
    l.inputs.emplace("weight_ih", Tensor::of_integers(name + ".wih", DType::int8, {G, I}, q, wih));
    l.inputs.emplace("weight_hh", Tensor::of_integers(name + ".whh", DType::int8, {G, H}, q, whh));
    l.inputs.emplace("bias_ih", Tensor::of_floats(name + ".bih", {G}, bih));
    l.inputs.emplace("bias_hh", Tensor::of_floats(name + ".bhh", {G}, bhh));
    l.outputs.emplace("y", Tensor::of_floats(name + ".y", {1, N, H}, y));
    l.outputs.emplace("h_n", Tensor::of_floats(name + ".h_n", {1, N, H}, y));
    l.outputs.emplace("c_n", Tensor::of_floats(name + ".c_n", {1, N, H}, after));
    l.attributes.values["reduce_range"] = false;
    return l;
  }
};

// ---- weights of 4 bits with scales by group ----------------------------------------------------------------------------

constexpr int R = 5, K = 24, O = 6, size_of_group = 8, groups = K / size_of_group;

struct RowsFault {
  bool bias = true, relu = true, turned = false;
  int zero_point = -1;                                              // for all, instead of their own
  std::function<int(int o, int g)> scale = [](int o, int g) { return o * groups + g; };
};

struct WeightOnly {
  Integers w, zero_points;
  Floats x, bias, scales;
  WeightOnly() {
    Draw draw{23};
    for (int k = 0; k < R * K; ++k) x.push_back(static_cast<float>(draw(-100, 100)) * 0x1p-5f);
    for (int k = 0; k < O * K; ++k) w.push_back(draw(0, 15));
    for (int k = 0; k < O * groups; ++k) scales.push_back(static_cast<float>(draw(20, 200)) * 0x1p-10f), zero_points.push_back(draw(5, 11));
    for (int o = 0; o < O; ++o) bias.push_back(static_cast<float>(draw(-64, 64)) * 0x1p-4f);
  }
  Layer layer(const std::string& name, const RowsFault& f) const {
    Floats y;
    for (int r = 0; r < R; ++r)
      for (int o = 0; o < O; ++o) {
        double sum = f.bias ? static_cast<double>(bias[static_cast<std::size_t>(o)]) : 0;
        for (int k = 0; k < K; ++k) {
          const int at = o * K + k, zp = f.zero_point < 0 ? zero_points[static_cast<std::size_t>(o * groups + k / size_of_group)] : f.zero_point;
          const int code = w[static_cast<std::size_t>(f.turned ? at ^ 1 : at)] - zp;
          sum += static_cast<double>(x[static_cast<std::size_t>(r * K + k)]) * code * static_cast<double>(scales[static_cast<std::size_t>(f.scale(o, k / size_of_group))]);
        }
        y.push_back(static_cast<float>(f.relu ? std::max(sum, 0.0) : sum));
      }
    Layer l;
    l.name = name, l.op = "linear_weight_only";
    Quantization q = qparams(1, 0, DType::uint4);
    q.axis = 0, q.group_size = size_of_group;
    q.scale.assign(scales.begin(), scales.end()), q.zero_point.assign(zero_points.begin(), zero_points.end());
    l.inputs.emplace("x", Tensor::of_floats(name + ".x", {R, K}, x));
    l.inputs.emplace("weight", Tensor::of_integers(name + ".w", DType::uint4, {O, K}, q, w));
    l.inputs.emplace("bias", Tensor::of_floats(name + ".b", {O}, bias));
    l.outputs.emplace("y", Tensor::of_floats(name + ".y", {R, O}, y));
    l.attributes.values["activation"] = std::string("relu");
    return l;
  }
};

// ---- a table of 2-bit rows that do not fill their last byte ------------------------------------------------------------

constexpr int rows = 7, D = 10;

struct TableFault {
  bool bias = true, turned = false;
  int scale_of = 0;
};

struct Table {
  Integers w;
  Floats scales, biases;
  std::vector<std::int64_t> indices{3, 0, 6, 2, 2, 5};
  Table() {
    Draw draw{31};
    for (int k = 0; k < rows * D; ++k) w.push_back(draw(0, 3));
    for (int k = 0; k < rows; ++k) scales.push_back(static_cast<float>(draw(3, 60)) * 0x1p-4f), biases.push_back(static_cast<float>(draw(-99, 99)) * 0x1p-4f);
  }
  Layer layer(const std::string& name, const TableFault& f) const {
    Floats y;
    for (const auto i : indices)
      for (int d = 0; d < D; ++d) {
        const int other = d / 4 * 4 + 3 - d % 4, at = f.turned && other < D ? other : d;  // of a whole byte
        const std::int64_t row = f.scale_of == 0 ? i : f.scale_of == 1 ? (i + rows - 1) % rows : 0;
        y.push_back(static_cast<float>(w[static_cast<std::size_t>(i * D + at)]) * scales[static_cast<std::size_t>(row)] + (f.bias ? biases[static_cast<std::size_t>(i)] : 0.0f));
      }
    Layer l;
    l.name = name, l.op = "embedding";
    Quantization q = qparams(1, 0, DType::uint2);
    q.axis = 0, q.scale.assign(scales.begin(), scales.end()), q.zero_point.assign(rows, 0);
    l.inputs.emplace("weight", Tensor::of_integers(name + ".w", DType::uint2, {rows, D}, q, w));
    l.inputs.emplace("weight_bias", Tensor::of_floats(name + ".b", {rows}, biases));
    const auto* bytes = reinterpret_cast<const std::byte*>(indices.data());
    const auto n = static_cast<std::int64_t>(indices.size());
    l.inputs.emplace("indices", Tensor::of(name + ".i", DType::int64, {n}, {}, {bytes, bytes + sizeof(std::int64_t) * indices.size()}));
    l.outputs.emplace("y", Tensor::of_floats(name + ".y", {n, D}, y));
    return l;
  }
};

template <class Fault>
Fault with(const std::function<void(Fault&)>& set) {
  Fault f;
  set(f);
  return f;
}

}  // namespace

TEST_CASE("causes in a recurrent layer are found, named first, and explain all of its outputs", "[verifier][causes]") {
  using F = LstmFault;
  const auto f = with<F>;
  check_all<Lstm, F>({}, {
      {"bias:dropped", f([](F& x) { x.bias_ih = x.bias_hh = false; })},
      {"bias:dropped", f([](F& x) { x.bias_ih = false; })},
      {"bias:dropped", f([](F& x) { x.bias_hh = false; })},
      {"weight-zero-point:ignored", f([](F& x) { x.zero_points = false; })},
      {"weight-scale:shifted", f([](F& x) { x.scale_of = 1; })},
      {"weight-scale:per-tensor", f([](F& x) { x.scale_of = 2; })},
      {"weight:transposed", f([](F& x) { x.by_gate = true; })},
      {"weight:reordered", f([](F& x) { x.order = {0, 3, 1, 2}; })},
      {"weight:reordered", f([](F& x) { x.order = {0, 2, 1, 3}; })},
      {"accumulator:13-wrap", f([](F& x) { x.bits = 13; })},
  });
}

TEST_CASE("causes in a layer of 4-bit weights by group are found, named first, and explain all", "[verifier][causes]") {
  using F = RowsFault;
  const auto f = with<F>;
  check_all<WeightOnly, F>({}, {
      {"bias:dropped", f([](F& x) { x.bias = false; })},
      {"activation:missing", f([](F& x) { x.relu = false; })},
      {"weight:reordered", f([](F& x) { x.turned = true; })},
      {"weight-zero-point:ignored", f([](F& x) { x.zero_point = 0; })},
      {"weight-zero-point:ignored", f([](F& x) { x.zero_point = 8; })},
      {"weight-scale:shifted", f([](F& x) { x.scale = [](int o, int g) { return (o + O - 1) % O * groups + g; }; })},
      {"weight-scale:shifted", f([](F& x) { x.scale = [](int o, int g) { return o * groups + std::max(g - 1, 0); }; })},
      {"weight-scale:per-tensor", f([](F& x) { x.scale = [](int o, int) { return o * groups; }; })},
      {"weight-scale:wrong-axis", f([](F& x) { x.scale = [](int o, int g) { return g * O + o; }; })},
  });
}

TEST_CASE("causes in a table of rows that do not fill their last byte are found, named first, and explain all", "[verifier][causes]") {
  using F = TableFault;
  const auto f = with<F>;
  check_all<Table, F>({}, {
      {"bias:dropped", f([](F& x) { x.bias = false; })},
      {"weight-zero-point:ignored", f([](F& x) { x.bias = false; })},
      {"weight:reordered", f([](F& x) { x.turned = true; })},
      {"weight-scale:shifted", f([](F& x) { x.scale_of = 1; })},
      {"weight-scale:per-tensor", f([](F& x) { x.scale_of = 2; })},
  });
}

TEST_CASE("one wrong element of a step is told from those of later steps that start from it", "[verifier][causes]") {
  const Dump dump = Dump::open(std::string(LASTBIT_TEST_DATA) + "/runtimes/pytorch-2.13/fbgemm/avx512_vnni/rnn");
  DumpToWrite copy;
  set_pytorch(copy);
  for (const auto& entry : dump.layers())
    if (entry.name == "lstm0") {
      Layer l = dump.bind(entry);
      auto y = l.out().f32();
      y[1] += 0.5f;
      l.outputs.at("y") = Tensor::of_floats("moved", l.out().shape, y);
      copy.layers.push_back(std::move(l));
    }
  const auto layers = verified(copy);
  REQUIRE(layers.size() == 1);
  CHECK(layers[0].mismatches > 1);
  REQUIRE_FALSE(layers[0].causes.empty());
  CHECK(layers[0].causes[0].name == "position:element");
  CHECK(layers[0].causes[0].deciding == std::vector<std::vector<std::int64_t>>{{0, 0, 1}});
  CHECK(layers[0].causes[0].sentence.find("start from there") != std::string::npos);
}
