// attribution_test.cpp: what naming a cause costs, what an extract keeps, and causes inside float matrix products.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "lib/dump/write.hpp"
#include "tests/support.hpp"
#include "tests/verifier/numbers.hpp"
#include "verifier/cause.hpp"
#include "verifier/evaluate.hpp"
#include "verifier/extract.hpp"
#include "verifier/verify.hpp"

using namespace lastbit;
using namespace lastbit::test;

namespace {

std::int32_t stored(double v, int lowest = 0) { return static_cast<std::int32_t>(std::clamp(v, static_cast<double>(lowest), 255.0)); }

int code(int i, int step) { return (i * step + i * i % 31) % 256; }

/// A 3x3 convolution of 16 channels (padding 1) over 20x20, by engine fbgemm per tensor: rne(f32(acc) * m) + zo.
constexpr int C = 16, O = 12, S = 20;
struct Sums {
  Integers x, w;
  std::vector<int> acc;
  Sums() {
    for (int i = 0; i < C * S * S; ++i) x.push_back(code(i, 7));
    for (int i = 0; i < O * C * 9; ++i) w.push_back(code(i, 29) % 61 - 30);
    for (int o = 0; o < O; ++o)
      for (int h = 0; h < S; ++h)
        for (int v = 0; v < S; ++v) {
          int sum = 0;
          for (int c = 0; c < C; ++c)
            for (int k = 0; k < 9; ++k) {
              const int row = h + k / 3 - 1, column = v + k % 3 - 1;
              if (row < 0 || column < 0 || row >= S || column >= S) continue;
              sum += (x[static_cast<std::size_t>((c * S + row) * S + column)] - 120) * w[static_cast<std::size_t>((o * C + c) * 9 + k)];
            }
          acc.push_back(sum);
        }
  }
  Integers output(const std::function<double(double)>& round) const {
    Integers y;
    for (const int a : acc) {
      const float scaled = static_cast<float>(a) * 0x1p-9f;
      y.push_back(stored(round(static_cast<double>(scaled)) + 100));
    }
    return y;
  }
  Layer layer(const Integers& y) const {
    Layer l;
    l.name = "conv";
    l.op = "conv2d";
    l.inputs.emplace("x", Tensor::of_integers("x", DType::uint8, {1, C, S, S}, qparams(0x1p-5f, 120, DType::uint8), x));
    l.inputs.emplace("weight", Tensor::of_integers("w", DType::int8, {O, C, 3, 3}, qparams(0x1p-6f, 0, DType::int8), w));
    l.outputs.emplace("y", Tensor::of_integers("y", DType::uint8, {1, O, S, S}, qparams(0x1p-2f, 100, DType::uint8), y));
    l.attributes.values["padding"] = std::vector<std::int64_t>{1, 1};
    return l;
  }
};

fs::path written(const TemporaryFolder& folder, Layer layer, const std::string& profile) {
  DumpToWrite dump;
  dump.producer.fields = {{"framework", "pytorch"}, {"version", "2.13.0"}, {"engine", "fbgemm"}, {"isa", "avx512_vnni"}};
  dump.profile = profile;
  dump.layers.push_back(std::move(layer));
  write_dump(folder.path / "dump", dump);
  return folder.path / "dump";
}

LayerReport verified(const fs::path& path) {
  VerifyOptions o;
  o.dumps = {path.string()};
  o.forms = {"integer"};
  return verify_dumps(o).layers.at(0);
}

/// What attribute() makes of the only layer, and what that cost.
std::pair<LayerReport, Cost> attributed(const fs::path& path) {
  const Dump dump = Dump::open(path.string());
  const LayerEntry& entry = dump.layers()[0];
  const ChosenProfile chosen = choose_profile(dump, entry, "");
  const Operator& op = *find_operator(entry.op);
  Layer bound = bind_layer(dump, entry, chosen.isa);
  const Cell& cell = *cell_for(*chosen.profile, op, bound);
  const Evaluated e = evaluate(std::move(bound), op, cell);
  const Case c(dump, entry, e.layer, op, *chosen.profile, cell, e.result.outputs.at("y"), "y", e.compared.at("y"));
  LayerReport report;
  attribute(c, report);
  return {report, c.cost()};
}

}  // namespace

TEST_CASE("all rules are tried on one accumulation; only operands that may be the cause are accumulated anew", "[verifier][causes]") {
  const Sums s;
  TemporaryFolder rounding, moved, corrupted;
  const auto [floor, cost] = attributed(written(rounding, s.layer(s.output([](double v) { return std::floor(v); })), "pytorch-fbgemm"));
  REQUIRE(!floor.causes.empty());
  CHECK(floor.causes[0].name == "round:floor");
  CHECK(cost.accumulations == 1);
  CHECK(cost.runs == 0);

  Integers y = s.output(half_even);
  for (auto& v : y) v = std::min(v + 5, 255);
  const auto [stale, cost_of_stale] = attributed(written(moved, s.layer(y), "pytorch-fbgemm"));
  REQUIRE(!stale.causes.empty());
  CHECK(stale.causes[0].name == "zero-point:stale");
  CHECK(cost_of_stale.accumulations <= 6);
  CHECK(cost_of_stale.runs <= 2);  // other profiles' whole operators

  y = s.output(half_even);
  for (std::size_t i = 0; i < y.size(); i += 97) y[i] ^= 1;
  const auto [nothing, cost_of_nothing] = attributed(written(corrupted, s.layer(y), "pytorch-fbgemm"));
  CHECK(nothing.causes.empty());
  CHECK(cost_of_nothing.accumulations <= 3);
  CHECK(cost_of_nothing.runs <= 4);  // other profiles' whole operators
}

TEST_CASE("an extract has the cause of its layer", "[verifier][extract]") {
  const Sums s;
  const auto cause_of_extract = [&](const Integers& y, const std::string& expected) {
    TemporaryFolder folder;
    const auto path = written(folder, s.layer(y), "pytorch-fbgemm");
    CHECK(verified(path).causes.at(0).name == expected);
    ExtractOptions o;
    o.dump = path.string(), o.layer = "conv", o.out = (folder.path / "out").string();
    const Extraction x = extract(o);
    CHECK(x.elements < static_cast<std::int64_t>(y.size()));
    CHECK(x.mismatches > 0);
    const LayerReport r = verified(o.out);
    REQUIRE(!r.causes.empty());
    CAPTURE(r.causes[0].name);
    CHECK((r.causes[0].name == expected || std::count(r.causes[0].group.begin(), r.causes[0].group.end(), expected) == 1));
  };
  Integers y = s.output(half_even);
  y[1234] = (y[1234] + 90) % 256;  // no rule's value: a corrupted element
  cause_of_extract(y, "position:element");
  cause_of_extract(s.output([](double v) { return std::ceil(v); }), "round:ceil");
}

TEST_CASE("a product that ends in its accumulator is attributed and extracted like any other", "[verifier][causes][extract]") {
  const auto layer = [](const Integers& sums) {  // MatMulInteger
    Layer l;
    l.name = "product", l.op = "matmul";
    l.inputs.emplace("a", Tensor::of_integers("a", DType::uint8, {2, 3}, qparams(1, 3, DType::uint8), Integers{1, 2, 3, 4, 5, 6}));
    l.inputs.emplace("b", Tensor::of_integers("b", DType::int8, {3, 2}, qparams(1, 0, DType::int8), Integers{1, -2, 3, 4, 5, -6}));
    l.outputs.emplace("accumulator", Tensor::of_integers("accumulator", DType::int32, {2, 2}, {}, sums));
    return l;
  };
  const auto negated = [](Integers sums) {
    for (auto& s : sums) s = -s;
    return sums;
  };
  const Integers right{-5, 0, 22, -12};
  TemporaryFolder same, one, all, out;
  CHECK(verified(written(same, layer(right), "onnxruntime")).verdict == Verdict::identical);
  const LayerReport element = verified(written(one, layer({-5, 0, 23, -12}), "onnxruntime")), sign = verified(written(all, layer(negated(right)), "onnxruntime"));
  CHECK(element.mismatches == 1);
  REQUIRE(!element.causes.empty());
  CHECK(element.causes[0].name == "position:element");
  CHECK(sign.mismatches == 3);

  ExtractOptions o;
  o.dump = (one.path / "dump").string(), o.layer = "product", o.out = (out.path / "less").string();
  CHECK(extract(o).mismatches == 1);
}

TEST_CASE("a stale zero point is found where an activation leaves nothing but its bound", "[verifier][causes]") {
  const Sums s;
  const Integers y(s.acc.size(), 211);  // relu at 205 + 6, every sum below it
  Layer l = s.layer(y);
  l.inputs.insert_or_assign("bias", Tensor::of_floats("b", {O}, std::vector<float>(O, -4000.0f)));
  l.outputs.insert_or_assign("y", Tensor::of_integers("y", DType::uint8, {1, O, S, S}, qparams(0x1p-2f, 205, DType::uint8), y));
  l.attributes.values["activation"] = std::string("relu");
  TemporaryFolder folder;
  const LayerReport r = verified(written(folder, l, "pytorch-fbgemm"));
  REQUIRE(!r.causes.empty());
  CHECK(r.causes[0].name == "zero-point:stale");
  CHECK(r.unexplained == 0);
}

TEST_CASE("narrow accumulators of a float matrix product are named", "[verifier][causes]") {
  constexpr int M = 12, K = 40, N = 9;
  Integers a, b;
  for (int i = 0; i < M * K; ++i) a.push_back(code(i, 7));
  for (int i = 0; i < K * N; ++i) b.push_back(code(i, 11));
  const auto layer = [&](const std::function<int(int sum)>& final, const std::function<int(int sum)>& held, int zb) {
    Integers y;
    for (int m = 0; m < M; ++m)
      for (int n = 0; n < N; ++n) {
        int sum = 0;
        for (int k = 0; k < K; ++k) sum = held(sum + (a[static_cast<std::size_t>(m * K + k)] - 131) * (b[static_cast<std::size_t>(k * N + n)] - zb));
        y.push_back(stored(half_even(final(sum) * 0x1p-11 + 0.0) + 119));
      }
    Layer l;
    l.name = "product";
    l.op = "matmul";
    l.inputs.emplace("a", Tensor::of_integers("a", DType::uint8, {M, K}, qparams(0x1p-5f, 131, DType::uint8), a));
    l.inputs.emplace("b", Tensor::of_integers("b", DType::uint8, {K, N}, qparams(0x1p-7f, 70, DType::uint8), b));
    l.outputs.emplace("y", Tensor::of_integers("y", DType::uint8, {M, N}, qparams(0x1p-1f, 119, DType::uint8), y));
    return l;
  };
  const auto same = [](int v) { return v; };
  const auto wraps = [](int v) { return ((v + 32768) % 65536 + 65536) % 65536 - 32768; };
  const auto saturates = [](int v) { return std::clamp(v, -32768, 32767); };
  const auto first = [&](const Layer& l) {
    TemporaryFolder folder;
    const LayerReport r = verified(written(folder, l, "pytorch-fbgemm"));
    CHECK(r.unexplained == 0);
    return r.causes.empty() ? std::string() : r.causes[0].name;
  };
  CHECK(first(layer(same, same, 70)).empty());
  CHECK(first(layer(wraps, same, 70)) == "accumulator:16-wrap");
  CHECK(first(layer(saturates, same, 70)) == "accumulator:16-saturate");
  CHECK(first(layer(same, saturates, 70)) == "accumulator:16-saturate-partial");
  CHECK(first(layer(same, same, 0)) == "weight-zero-point:ignored");
}

TEST_CASE("along a chain a dequantized layer is off by steps of its input's scale", "[verifier][chained]") {
  DumpToWrite dump;
  dump.producer.fields = {{"framework", "pytorch"}, {"version", "2.13.0"}, {"engine", "fbgemm"}, {"isa", "avx512_vnni"}};
  dump.profile = "pytorch-fbgemm";
  const Integers x{3, 9, 40, 77}, moved{6, 9, 40, 77};  // relu's output, three too high at one place
  Layer relu, dequantize;
  relu.name = "relu", relu.op = "relu";
  relu.inputs.emplace("x", Tensor::of_integers("x", DType::uint8, {4}, qparams(0.25f, 0, DType::uint8), x));
  relu.outputs.emplace("y", Tensor::of_integers("y", DType::uint8, {4}, qparams(0.25f, 0, DType::uint8), moved));
  dequantize.name = "dequantize", dequantize.op = "dequantize";
  dequantize.inputs.emplace("x", relu.out("y"));
  dequantize.outputs.emplace("y", Tensor::of_floats("z", {4}, std::vector<float>{1.5f, 2.25f, 10.0f, 19.25f}));
  dump.layers = {relu, dequantize};
  TemporaryFolder folder;
  write_dump(folder.path / "dump", dump);
  VerifyOptions o;
  o.dumps = {(folder.path / "dump").string()};
  o.chained = true;
  const Report r = verify_dumps(o);
  REQUIRE(r.layers.size() == 2);
  CHECK(r.layers[1].mismatches == 0);
  REQUIRE(r.layers[1].chained);
  CHECK(r.layers[1].chained->mismatches == 1);
  CHECK(r.layers[1].chained->max_lsb == 3);
}
