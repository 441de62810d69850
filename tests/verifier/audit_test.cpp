// audit_test.cpp: layers of every kind that accumulates: their bounds, their witnesses, the cost of a register.
#include "verifier/audit.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>

#include "tests/ops/layers.hpp"
#include "tests/support.hpp"
#include "verifier/evaluate.hpp"
#include "verifier/sums.hpp"

using namespace lastbit;
using namespace lastbit::test;

namespace {

AuditOptions of(const std::string& dump) {
  AuditOptions o;
  o.verify.dumps = {std::string(LASTBIT_TEST_DATA) + "/" + dump};
  o.verify.jobs = 1;
  return o;
}

struct Bound {
  std::int64_t min, max;
};
Bound bound_of(const Layer& layer, const Cell& cell, std::size_t channel, bool b_is_input = true) {
  const auto sums = sums_of(layer, *find_operator(layer.op), cell);
  REQUIRE(sums);
  const auto all = worst_case(*sums, b_is_input);
  return {all[channel].min.value, all[channel].max.value};
}

}  // namespace

TEST_CASE("a matmul's bounds are those of an exhaustive search over both operands, or over one", "[verifier][audit]") {
  // K = 2, one column, ranges narrowed to -2..3 and 0..5.
  Layer layer;
  layer.op = "matmul", layer.name = "m";
  layer.inputs["a"] = quantized(DType::uint8, {1, 2}, {0, 5}, 1, 2);
  layer.inputs["b"] = quantized(DType::int8, {2, 1}, {-2, 3}, 1, 1);
  layer.inputs["a"].q.qmin = 0, layer.inputs["a"].q.qmax = 5;
  layer.inputs["b"].q.qmin = -2, layer.inputs["b"].q.qmax = 3;
  layer.outputs["y"] = quantized(DType::uint8, {1, 1}, {0}, 100, 0);
  Cell cell;
  cell.rule = "accumulate";
  Bound both{0, 0}, one{0, 0};
  for (int a0 = 0; a0 <= 5; ++a0)
    for (int a1 = 0; a1 <= 5; ++a1) {
      const std::int64_t fixed = (a0 - 2) * (-2 - 1) + (a1 - 2) * (3 - 1);
      one = {std::min(one.min, fixed), std::max(one.max, fixed)};
      for (int b0 = -2; b0 <= 3; ++b0)
        for (int b1 = -2; b1 <= 3; ++b1) {
          const std::int64_t sum = (a0 - 2) * (b0 - 1) + (a1 - 2) * (b1 - 1);
          both = {std::min(both.min, sum), std::max(both.max, sum)};
        }
    }
  const Bound proved = bound_of(layer, cell, 0), with_b = bound_of(layer, cell, 0, false);
  CHECK(proved.min == both.min);
  CHECK(proved.max == both.max);
  CHECK(with_b.min == one.min);
  CHECK(with_b.max == one.max);
}

TEST_CASE("no input that is quantized at run time exceeds the bounds, and some reach them", "[verifier][audit]") {
  // The zero point is the input's own. Searched: thousands of inputs, aimed at both ends and at halves between them.
  for (const bool reduced : {false, true}) {
    const std::vector<std::int32_t> w{3, -3, 7, -7, 1, -1};
    Layer layer;
    layer.op = "linear_dynamic", layer.name = "d";
    layer.producer.fields = {{"framework", "pytorch"}, {"engine", "fbgemm"}, {"version", "2.12.0"}, {"isa", "avx512_vnni"}};
    layer.inputs["weight"] = quantized(DType::int8, {1, 6}, w, 1, 0);
    layer.outputs["y"] = floats({1, 1}, {0});
    layer.attributes.values["reduce_range"] = reduced;
    const Operator& op = *find_operator("linear_dynamic");
    const Profile& profile = find_profile("pytorch-fbgemm");
    Random random{7};
    std::int64_t lowest = 0, highest = 0;
    Bound proved{0, 0};
    for (int trial = 0; trial < 6000; ++trial) {
      const double top = reduced ? 127 : 255, at = trial % 3 == 0 ? 0 : trial % 3 == 1 ? top : static_cast<double>(random.below(static_cast<std::uint64_t>(top))) + 0.5;
      std::vector<float> x;
      const bool up = random.below(2);
      for (const auto v : w) {
        const bool high = random.below(8) == 0 ? random.below(2) : (v > 0) == up;
        x.push_back(static_cast<float>(high ? top - at : -at));
      }
      layer.inputs["x"] = floats({1, 6}, x);
      set_producer(layer, &op, layer.producer);
      const Cell* cell = cell_for(profile, op, layer);
      REQUIRE(cell);
      const Result r = op.run(layer, *cell);
      lowest = std::min(lowest, r.acc_min), highest = std::max(highest, r.acc_max);
      if (trial == 0) proved = bound_of(layer, *cell, 0);
    }
    CAPTURE(reduced, lowest, highest);
    CHECK(proved.min == lowest);
    CHECK(proved.max == highest);
    // Both halves: with as much positive as negative weight a zero point between the ends reaches what no end does.
    CHECK(highest == (reduced ? 128 * 11 : 255 * 11));
  }
}

TEST_CASE("a chosen register starts from the integer bias", "[verifier][audit]") {
  // 3 * 100 + 5 * 100 with a bias of 1000: 1800 in 11 bits (-1024..1023).
  Layer layer;
  layer.op = "linear", layer.name = "l";
  layer.inputs["x"] = quantized(DType::uint8, {1, 2}, {100, 100}, 1, 0);
  layer.inputs["weight"] = quantized(DType::int8, {1, 2}, {3, -5}, 1, 0);
  layer.inputs["bias"] = quantized(DType::int32, {1}, {1000}, 1, 0);
  layer.outputs["y"] = quantized(DType::uint8, {1, 1}, {0}, 10, 0);
  Cell cell;
  cell.rule = "accumulate";
  cell.stages = {"bias bias", "float", "multiply f32(si) * f32(sw) / f32(so)", "round half_even int_min", "zero_point", "clamp"};
  const auto under = [&](const std::string& model) {
    Cell c = cell;
    c.with["register"] = model;
    return find_operator("linear")->run(layer, c).outputs.at("y");
  };
  // 1000 + 300 = 1300 saturates to 1023, - 500 = 523; wrapping only the final sum counts: 800 fits.
  CHECK(under("32-wrap").acc[0] == 800);
  CHECK(under("11-wrap").acc[0] == 800);
  CHECK(under("11-saturate").acc[0] == 523);
  CHECK((under("11-saturate").events[0] & event::saturated) != 0);
  CHECK(under("10-wrap").acc[0] == 800 - 1024);
  CHECK((under("10-wrap").events[0] & event::wrapped) != 0);
}

TEST_CASE("every witness is a dump that verifies and reaches its bound", "[verifier][audit]") {
  std::map<std::string, int> kinds;
  for (const char* dump : {"runtimes/pytorch-2.13/fbgemm/avx512_vnni/conv2d", "runtimes/pytorch-2.13/fbgemm/avx512_vnni/conv_transpose2d", "runtimes/pytorch-2.13/fbgemm/avx512_vnni/dynamic2",
                           "runtimes/pytorch-2.13/qnnpack/avx512_vnni/dynamic2", "runtimes/onnxruntime-1.31/avx512_vnni/integer", "runtimes/onnxruntime-1.31/avx512_vnni/qlinearmatmul", "runtimes/onnxruntime-1.31/avx512_vnni/dynamic",
                           "runtimes/litert-2.3/ref/depthwise_conv2d", "runtimes/litert-2.3/ref/int16x8", "runtimes/litert-2.3/ref/batch_matmul", "models/fbgemm-seed_dynamic"}) {
    TemporaryFolder folder;
    AuditOptions o = of(dump);
    o.witness = (folder.path / "w").string();
    const Audit result = audit(o);
    VerifyOptions verify;
    verify.forms = {"integer"};
    verify.causes = false;
    std::vector<const LayerAudit*> audited;
    for (const auto& a : result.layers)
      if (!a.witness.path.empty()) verify.dumps.push_back(a.witness.path), audited.push_back(&a);
    REQUIRE(!audited.empty());
    const Report report = verify_dumps(verify);
    REQUIRE(report.layers.size() == audited.size());
    for (std::size_t i = 0; i < audited.size(); ++i) {
      const LayerAudit& a = *audited[i];
      const LayerReport& own = result.report.layers[a.layer];
      CAPTURE(dump, own.name, own.op);
      CHECK(report.layers[i].mismatches == 0);
      const bool exact = a.observed.pair_saturated.count == 0 && a.smallest_safe_bits <= 32;
      if (!exact) continue;
      const auto& reached = report.layers[i].accumulator;
      CHECK((reached.min == a.witness.bound || reached.max == a.witness.bound));
      CHECK((a.witness.bound == own.accumulator.worst_case_min || a.witness.bound == own.accumulator.worst_case_max));
      ++kinds[own.op];
    }
  }
  for (const char* op : {"conv2d", "conv_transpose2d", "linear_dynamic", "conv2d_dynamic", "matmul", "linear"}) {
    CAPTURE(op);
    CHECK(kinds[op] > 0);
  }
}

TEST_CASE("what channels and layers observe adds up", "[verifier][audit]") {
  for (const char* dump : {"runtimes/pytorch-2.13/fbgemm/avx2/conv2d", "runtimes/onnxruntime-1.31/avx2/qlinearmatmul", "runtimes/litert-2.3/ref/fully_connected"}) {
    const Audit result = audit(of(dump));
    std::int64_t pairs = 0;
    for (const auto& a : result.layers) {
      if (!a.accumulates) continue;
      const LayerReport& r = result.report.layers[a.layer];
      CAPTURE(dump, r.name);
      Observed sum;
      std::int64_t lowest = a.channels[0].observed.min, highest = a.channels[0].observed.max;
      for (const auto& c : a.channels) {
        sum.elements += c.observed.elements, sum.clamped_low += c.observed.clamped_low, sum.wrapped.count += c.observed.wrapped.count, sum.pair_saturated.count += c.observed.pair_saturated.count;
        lowest = std::min(lowest, c.observed.min), highest = std::max(highest, c.observed.max);
        CHECK(c.observed.partial_min <= c.observed.min);
        CHECK(c.worst_min <= c.observed.min);
        CHECK(c.worst_max >= c.observed.max);
        CHECK(c.headroom.size() == 3);
      }
      CHECK(sum.elements == r.elements);
      CHECK(sum.clamped_low == a.observed.clamped_low);
      CHECK(sum.pair_saturated.count == r.events.pair_saturated);
      CHECK(lowest == a.observed.min);
      CHECK(highest == a.observed.max);
      CHECK((a.observed.pair_saturated.count > 0) == !a.observed.pair_saturated.first.empty());
      pairs += a.observed.pair_saturated.count;
    }
    if (std::string(dump).find("avx2") != std::string::npos) CHECK(pairs > 0);
  }
}

TEST_CASE("a network's outputs tell what a register costs in the end", "[verifier][audit]") {
  AuditOptions o = of("models/fbgemm-seed_linear");
  o.acc = {12, 16}, o.overflow = "saturate";
  const Audit result = audit(o);
  REQUIRE(result.network.size() == 2);
  CHECK(result.network[0].model == "12-saturate");
  CHECK(result.network[0].changed > 0);
  CHECK(result.network[0].max_error > 0);
  CHECK(result.network[1].model == "16-saturate");
}
