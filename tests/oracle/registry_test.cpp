// registry_test.cpp: every operator of the registry against its plain definition over the real numbers: the exact form must
// contain the truth, the filter must keep its bound, the integer form may be off by what its roundings allow. Layers are real
// ones (tests/data) and, on the same shapes and scales, new random integers.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <set>

#include "lib/dump/dump.hpp"
#include "tests/oracle/oracle.hpp"
#include "tests/ops/layers.hpp"
#include "tests/support.hpp"

using namespace lastbit;
using namespace lastbit::oracle;
namespace fs = std::filesystem;

namespace {

/// Operators without a definition of their own here, and why.
const std::map<std::string, std::string>& no_definition() {
  static const std::map<std::string, std::string> all{
      {"reshape", "moves"}, {"flatten", "moves"}, {"permute", "moves"}, {"transpose", "moves"}, {"slice", "moves"}, {"flip", "moves"},
      {"pixel_shuffle", "moves"}, {"channel_shuffle", "moves"},
      {"upsample_nearest1d", "moves"}, {"upsample_nearest2d", "moves"}, {"upsample_nearest3d", "moves"}, {"upsample_nearest_exact2d", "moves"},
      {"quantize_rowwise", "judged below: its scale and bias are results too"},
      {"lstm_gates", "judged below: intervals"}, {"gru_gates", "judged below: intervals"},
      {"lstm_dynamic", "linear_dynamic and lstm_gates in a chain"}, {"gru_dynamic", "linear_dynamic and gru_gates in a chain"}};
  return all;
}

Definitions definitions() {
  Definitions all = elementwise();
  for (const auto& more : {windows(), products(), rows()}) all.insert(more.begin(), more.end());
  return all;
}

/// The truth as a sum of doubles: 212 bits of it, enough for every comparison here.
Exact exactly(Big v) {
  Exact e;
  for (int part = 0; part < 4 && v != 0; ++part) {
    const double d = static_cast<double>(v);
    e += Exact(d);
    v -= d;
  }
  return e;
}

double magnitude(const Big& v) { return std::fabs(static_cast<double>(v)); }

/// Runtimes that compute something else on purpose or by mistake: QNNPACK divides by the whole kernel whatever the layer says,
/// and takes a border pixel for what lies outside a dilated window; LiteRT's reference sum reads int8 as uint8.
bool departs(const Cell& cell) {
  return cell.rule == "full_kernel" || cell.rule == "fixed_bytes" || (cell.rule == "max" && cell.get("outside", "skip") != "skip");
}

struct Tally {
  std::int64_t elements = 0, ties = 0, clamps = 0;
};

/// Some elements of one layer.
void judge(const Layer& layer, const Definition& truth, const std::string& profile, test::Random& random, Tally& tally) {
  const Operator& op = *find_operator(layer.op);
  op.check(layer);
  const Cell* cell = cell_for(find_profile(profile), op, layer);
  if (!cell || cell->rule == "unsupported") return;
  const Result result = op.run(layer, *cell);
  const auto y = result.outputs.find("y");
  if (y == result.outputs.end()) return;
  const Real real = op.real(layer, result);
  if (!real.exact) return;  // not a number: std of one element
  const bool integers = !y->second.q.empty();
  const std::int64_t n = static_cast<std::int64_t>(integers ? y->second.q.size() : y->second.f.size());
  for (int k = 0; k < 12 && n > 0; ++k) {
    const auto i = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(n)));
    const auto at = static_cast<std::size_t>(i);
    INFO("element " << i);
    const Big t = truth(layer, result, i);
    const Exact e = real.exact(i), here = exactly(t), doubt(magnitude(t) * 0x1p-180 + 0x1p-900), narrow(magnitude(t) * 0x1p-60 + 0x1p-200);
    INFO("truth " << static_cast<double>(t) << ", exact form " << e.decimal(20));
    CHECK_FALSE(e.certainly_less(here - doubt));
    CHECK_FALSE((here + doubt).certainly_less(e));
    CHECK((e - here).certainly_less(narrow));
    CHECK((here - e).certainly_less(narrow));
    if (std::isfinite(real.bound[at]) && !real.filter().empty()) CHECK(magnitude(t - Big(real.filter()[at])) <= real.bound[at]);
    ++tally.elements;
    const Events events = y->second.events.empty() ? Events{0} : y->second.events[at];
    tally.ties += (events & event::tie) != 0;
    tally.clamps += (events & event::clamped) != 0;
    if (!integers || (events & (event::wrapped | event::saturated | event::pair_saturated | event::undefined))) continue;
    if (departs(*cell)) continue;
    const Tensor& out = layer.out();
    const double so = out.q.quantized() ? out.scale_at(i) : 1.0, zo = out.q.quantized() ? out.zero_point_at(i) : 0.0;
    Range range = activated_range(layer, out);
    double v = static_cast<double>(t / so + zo);
    const std::string fused = activation(layer);
    if (fused == "leaky_relu" || fused == "tanh") continue;
    v = std::clamp(v, static_cast<double>(range.min), static_cast<double>(range.max));
    // Half an LSB of rounding, and as much again: a second rounding, a table, a float32 multiplier of an int16 output.
    CHECK(std::fabs(static_cast<double>(y->second.q[at]) - v) <= (cell->rule == "mlas" ? 1.5 : 1.0) + 1e-3);
  }
}

/// The same layer on new integers: every value a dtype holds, or that the tensor's range allows.
Layer renewed(const Layer& layer, test::Random& random) {
  static const std::set<std::string> places{"indices", "offsets", "bias"};
  Layer other = layer;
  for (auto& [port, t] : other.inputs) {
    if (is_float(t.dtype) || !t.q.quantized() || info(t.dtype).bits > 16 || places.count(port)) continue;
    std::vector<std::int32_t> values(static_cast<std::size_t>(t.size()));
    for (auto& v : values) v = static_cast<std::int32_t>(random.between(t.q.qmin, t.q.qmax));
    Tensor fresh = Tensor::of_integers(t.name, t.dtype, t.shape, t.q, values);
    fresh.memory_layout = t.memory_layout, fresh.stored_axes = t.stored_axes;
    t = fresh;
  }
  return other;
}

std::vector<fs::path> recorded_dumps() {
  std::vector<fs::path> all;
  for (const auto& entry : fs::recursive_directory_iterator(LASTBIT_TEST_DATA))
    if (entry.path().filename() == "manifest.json" && entry.path().string().find("bugs") == std::string::npos) all.push_back(entry.path().parent_path());
  std::sort(all.begin(), all.end());
  return all;
}

/// Calls f(layer, profile) for a few recorded layers of every operator that `wanted` names: small ones, of every runtime.
template <class Wanted, class F>
void each_recorded(Wanted wanted, F f) {
  std::map<std::pair<std::string, std::string>, int> seen;  // by operator and profile
  for (const auto& path : recorded_dumps()) {
    const Dump dump = Dump::open(path);
    for (const auto& entry : dump.layers()) {
      if (!wanted(entry.op) || entry.attributes.has("variant")) continue;
      const std::string profile = ProfileChoice::parse(entry.profile.empty() ? dump.profile() : entry.profile).name;
      int& n = seen[{entry.op, profile}];
      if (n >= 3) continue;
      const Layer layer = dump.bind(entry);
      if (layer.outputs.begin()->second.size() > 20000 || (!layer.has_out("y") && !layer.has_out("h_out"))) continue;
      ++n;
      INFO(path.filename().string() << ": " << entry.name << " (" << entry.op << ", " << profile << ")");
      f(layer, profile);
    }
  }
}

}  // namespace

TEST_CASE("every operator of the registry has a definition, or a reason to have none", "[oracle]") {
  const Definitions all = definitions();
  for (const Operator& op : all_operators()) {
    INFO(op.name);
    CHECK(all.count(op.name) + no_definition().count(op.name) == 1);
    CHECK((op.real != nullptr || no_definition().count(op.name)));
  }
}

TEST_CASE("the exact form contains the truth, and the integer form is no further from it than its roundings allow", "[oracle]") {
  const Definitions all = definitions();
  test::Random random{11};
  std::map<std::string, Tally> tallies;
  each_recorded([&](const std::string& op) { return all.count(op) > 0; }, [&](const Layer& layer, const std::string& profile) {
    judge(layer, all.at(layer.op), profile, random, tallies[layer.op]);
    judge(renewed(layer, random), all.at(layer.op), profile, random, tallies[layer.op]);
  });
  Tally whole;
  for (const auto& [name, definition] : all) {
    INFO(name);
    CHECK(tallies[name].elements >= 20);
    whole.ties += tallies[name].ties, whole.clamps += tallies[name].clamps;
  }
  // What never met a tie or a clamp has judged nothing.
  CHECK(whole.ties > 50);
  CHECK(whole.clamps > 50);
}

TEST_CASE("an accumulator that wraps is far from the truth, and says so", "[oracle]") {
  using test::quantized;
  const std::int64_t K = 70000;
  const std::vector<std::int32_t> x(static_cast<std::size_t>(K), 255), w(static_cast<std::size_t>(K), 127);
  const Layer layer = test::layer_of("linear", {{"x", quantized(DType::uint8, {1, K}, x, 0.5, 0)}, {"weight", quantized(DType::int8, {1, K}, w, 0.5, 0)}},
                                     quantized(DType::uint8, {1, 1}, {0}, 1e7, 3), {});
  const Computed y = test::computed(layer, "pytorch-fbgemm");
  CHECK((y.events.at(0) & event::wrapped));
  const Big truth = products().at("linear")(layer, {}, 0);
  CHECK(truth == Big(K) * 255 * 127 / 4);
  CHECK(y.q.at(0) == 0);
  CHECK(std::fabs(static_cast<double>(truth / Big(1e7) + 3) - y.q.at(0)) > 50);
  const Operator& op = *find_operator("linear");
  const Result result = op.run(layer, *cell_for(find_profile("pytorch-fbgemm"), op, layer));
  CHECK(op.real(layer, result).exact(0).same_point(exactly(truth)));
}

TEST_CASE("moved elements are the input's", "[oracle]") {
  std::set<std::string> seen;
  each_recorded([](const std::string& op) { return no_definition().count(op) && no_definition().at(op) == "moves"; }, [&](const Layer& layer, const std::string& profile) {
    const Operator& op = *find_operator(layer.op);
    op.check(layer);
    const Computed y = op.run(layer, *cell_for(find_profile(profile), op, layer)).outputs.at("y");
    if (is_float(layer.in("x").dtype)) return;
    auto values = y.q;
    const auto x = layer.in("x").i32();
    const std::set<std::int32_t> known(x.begin(), x.end());
    CHECK(std::all_of(values.begin(), values.end(), [&](std::int32_t v) { return known.count(v) > 0; }));
    if (values.size() == x.size() && layer.op.find("upsample") == std::string::npos) {
      auto sorted = x;
      std::sort(sorted.begin(), sorted.end()), std::sort(values.begin(), values.end());
      CHECK(sorted == values);
    }
    seen.insert(layer.op);
  });
  CHECK(seen.size() >= 9);
}

TEST_CASE("a row's codes are its values in steps of its own scale", "[oracle]") {
  int layers = 0;
  each_recorded([](const std::string& op) { return op == "quantize_rowwise"; }, [&](const Layer& layer, const std::string& profile) {
    const Operator& op = *find_operator(layer.op);
    const Result r = op.run(layer, *cell_for(find_profile(profile), op, layer));
    const Computed& y = r.outputs.at("y");
    const std::int64_t D = layer.in("x").dim(1);
    REQUIRE(y.chosen);
    for (std::int64_t i = 0; i < layer.in("x").size(); ++i) {
      const double scale = y.chosen->scale_of(i / D), bias = static_cast<double>(r.outputs.at("bias").f.at(static_cast<std::size_t>(i / D)));
      const Big steps = scale > 0 ? Big((at(layer.in("x"), i) - Big(bias)) / Big(scale)) : Big(0);
      const double top = std::exp2(static_cast<double>(layer.attributes.integer("bits"))) - 1;
      // 4- and 2-bit rows keep scale and bias in float16, and divide by them before they are rounded to that
      CHECK(std::fabs(std::clamp(static_cast<double>(steps), 0.0, top) - y.q[static_cast<std::size_t>(i)]) <= 0.51);
    }
    ++layers;
  });
  CHECK(layers > 0);
}

TEST_CASE("the intervals of gates contain the truth", "[oracle]") {
  const auto sigmoid = [](const Big& x) { return Big(1 / (1 + exp(-x))); };
  const auto inside = [](const Computed& y, std::int64_t i, const Big& truth) {
    const auto open = std::find_if(y.undefined.begin(), y.undefined.end(), [&](const Interval& u) { return u.index == i; });
    const double lo = open == y.undefined.end() ? static_cast<double>(y.f[static_cast<std::size_t>(i)]) : open->lo, hi = open == y.undefined.end() ? lo : open->hi;
    const double room = 0x1p-22;  // the interval is of float32 results: sums of numbers up to 1, each rounded
    CHECK(truth >= Big(lo) - room);
    CHECK(truth <= Big(hi) + room);
  };
  int elements = 0;
  each_recorded([](const std::string& op) { return op == "lstm_gates" || op == "gru_gates"; }, [&](const Layer& layer, const std::string& profile) {
    const Operator& op = *find_operator(layer.op);
    op.check(layer);
    const Result r = op.run(layer, *cell_for(find_profile(profile), op, layer));
    const Tensor &ih = layer.in("ih"), &hh = layer.in("hh");
    const std::int64_t gates = layer.op == "lstm_gates" ? 4 : 3, H = ih.dim(-1) / gates;
    const auto sum = [&](std::int64_t n, std::int64_t gate, std::int64_t k) {  // float32, as every runtime adds these
      const std::int64_t i = (n * gates + gate) * H + k;
      return Big(static_cast<float>(ih.value(i)) + static_cast<float>(hh.value(i)));
    };
    for (std::int64_t i = 0; i < ih.size() / gates; ++i, ++elements) {
      const std::int64_t n = i / H, k = i % H;
      INFO("element " << i);
      if (gates == 4) {
        const Big c = sigmoid(sum(n, 1, k)) * at(layer.in("c"), i) + sigmoid(sum(n, 0, k)) * tanh(sum(n, 2, k));
        inside(r.outputs.at("c_out"), i, c);
        inside(r.outputs.at("h_out"), i, Big(sigmoid(sum(n, 3, k)) * tanh(c)));
      } else {
        const Big reset = sigmoid(sum(n, 0, k)), update = sigmoid(sum(n, 1, k)), h = at(layer.in("h"), i);
        const Big fresh = tanh(Big(at(ih, (n * 3 + 2) * H + k) + reset * at(hh, (n * 3 + 2) * H + k)));
        inside(r.outputs.at("h_out"), i, Big((h - fresh) * update + fresh));
      }
    }
  });
  CHECK(elements >= 20);
}
