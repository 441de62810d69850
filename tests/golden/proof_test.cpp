// proof_test.cpp: why rules are not told apart: what is proved is true when every accumulator, or every pair of codes, is tried; what
// parts is found; faults of a place and stale numbers are rules of every suite.
#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

#include "golden/generate.hpp"
#include "golden/matrix.hpp"
#include "golden/monotone.hpp"
#include "golden/place.hpp"
#include "golden/proof.hpp"
#include "golden/workshop.hpp"

using namespace lastbit;

namespace {

VectorRequest request(const std::string& op, const std::string& profile, const std::string& suite, std::optional<std::int64_t> count = {}) {
  VectorRequest r;
  r.op = op, r.profile = profile, r.suite = suite, r.count = count;
  return r;
}

std::set<std::string> names(const Vectors& v) {
  std::set<std::string> all;
  for (const auto& r : v.matrix.rules) all.insert(r.name);
  return all;
}

RequantizeContext context(double si, double so, std::int64_t zo) {
  RequantizeContext c;
  c.min = -128, c.max = 127;
  c.channels = {{{"si", si}, {"sw", 1.0}, {"so", so}, {"zi", 0.0}, {"zo", static_cast<double>(zo)}, {"bias", 0.0}, {"sb", 1.0}, {"alpha", 1.0}}};
  return c;
}

}  // namespace

TEST_CASE("stages that are said to keep the order keep it at every accumulator", "[golden][proof]") {
  const std::int64_t lo = -3000, hi = 3000;
  const std::vector<std::vector<std::string>> all{
      {"fixed double_away si / so", "zero_point", "clamp"}, {"fixed single si / so", "zero_point", "clamp"}, {"float", "multiply f32(si) / f32(so)", "round half_even int_min", "zero_point", "clamp"},
      {"float", "multiply f32(si) / f32(so)", "zero_point", "round half_away exact", "clamp"}, {"double", "divide so / si", "range", "round to_zero exact", "zero_point", "clamp"},
      {"register 12-saturate", "fixed floor_up si / so", "zero_point", "saturate16", "clamp"}, {"register 14-wrap", "fixed double_up si / so", "zero_point", "clamp"}, {"fixed rndnu16 si / so", "zero_point", "clamp"}};
  for (const auto& stages : all) {
    CAPTURE(stages);
    const auto c = context(0.37, 11.0, -7);
    REQUIRE(monotone(stages, c, 0, lo, hi));
    const Requantizer requantize(stages, c, "test");
    Events ignored = 0;
    for (std::int64_t acc = lo; acc < hi; ++acc) REQUIRE(requantize(acc, 0, ignored) <= requantize(acc + 1, 0, ignored));
  }
  // A register that wraps within reach, a negative scale and a conversion that gives INT_MIN do not.
  CHECK_FALSE(monotone({"register 12-wrap", "fixed single si / so", "zero_point", "clamp"}, context(0.37, 11.0, 0), 0, lo, hi));
  CHECK_FALSE(monotone({"float", "multiply 0 - si", "round half_even exact", "zero_point", "clamp"}, context(0.37, 11.0, 0), 0, lo, hi));
  CHECK_FALSE(monotone({"float", "multiply si", "round half_even int_min", "zero_point", "clamp"}, context(1e7, 1.0, 0), 0, lo, hi));
  CHECK_FALSE(monotone({"fixed double_away si", "zero_point", "clamp"}, context(1e7, 1.0, 0), 0, lo, hi));
}

TEST_CASE("rules proved alike give the same at every accumulator that can be reached", "[golden][proof]") {
  const Vectors v = generate(request("linear", "tflite-reference", "discriminate", 60));
  std::vector<Layer> cases = v.cases;
  const Workshop w = open_workshop(v.request);
  const AllRules rules = all_rules(w, cases);
  std::int64_t compared = 0;
  for (const auto& kind : v.matrix.kinds)
    for (const auto& agreement : kind.why) {
      if (!agreement.proved()) continue;
      for (std::size_t k = 0; k < cases.size(); ++k) {
        const Case& c = rules.of_case(k);
        // Every 97th sum of the widest channel, by each rule's own stages.
        std::vector<Requantizer> finish;
        for (const auto r : agreement.rules) {
          if (r != the_profile && (r >= rules.rules.size() || !rules.rules[r].changes[k])) continue;
          const Change own{};
          const Change& change = r == the_profile ? own : *rules.rules[r].changes[k];
          if (change.sum || change.input) continue;
          finish.emplace_back(c.stages_of(change), c.context_of(change), "test");
        }
        Events ignored = 0;
        for (std::int64_t acc = -150000; acc <= 150000; acc += 97)
          for (std::size_t f = 1; f < finish.size(); ++f, ++compared) REQUIRE(finish[f](acc, 0, ignored) == finish[0](acc, 0, ignored));
      }
    }
  CHECK(compared > 100000);
  // Inputs were made for what parts: nothing that the worst case holds is left.
  for (const auto& kind : v.matrix.kinds)
    for (const auto& agreement : kind.why) CHECK(agreement.reason.find("some part") == std::string::npos);
}

TEST_CASE("an exhaustive suite is its own proof", "[golden][proof]") {
  const Vectors v = generate(request("requantize", "cmsis-nn", "exhaustive", 512));
  bool any = false;
  for (const auto& kind : v.matrix.kinds)
    for (const auto& agreement : kind.why) {
      any = true;
      CHECK(agreement.reason == "proved: equal on the whole domain of this suite, all 512 elements");
    }
  CHECK(any);
}

TEST_CASE("a weak suite says where rules part that it does not separate", "[golden][proof]") {
  const Vectors v = generate(request("linear", "cmsis-nn", "random", 2));
  bool parts = false, not_proved = false;
  for (const auto& kind : v.matrix.kinds)
    for (const auto& agreement : kind.why) {
      not_proved = not_proved || agreement.reason.rfind("not proved: 10 outputs tried", 0) == 0;
      parts = parts || agreement.reason.find("some part at inputs that are not among them, as at accumulator ") != std::string::npos;
    }
  CHECK(not_proved);
  CHECK(parts);
}

TEST_CASE("elementwise rules are compared on every pair of codes, and inputs made where they part", "[golden][proof]") {
  const Vectors v = generate(request("add", "onnxruntime", "discriminate", 40));
  bool proved = false;
  for (const auto& kind : v.matrix.kinds)
    for (const auto& agreement : kind.why) {
      proved = proved || agreement.reason.find("combinations of codes") != std::string::npos;
      CHECK(agreement.reason.find("some part") == std::string::npos);
    }
  CHECK(proved);
  const Layer whole = *whole_domain(v.cases[0]);
  CHECK(whole.out("y").size() == 65536);
  CHECK_FALSE(whole_domain(generate(request("softmax", "tflite-reference", "random", 2), false).cases[0]).has_value());
}

TEST_CASE("stale zero points, stale padding and faults of a place are rules of a suite", "[golden][planted]") {
  const Vectors conv = generate(request("conv2d", "cmsis-nn", "discriminate", 40));
  for (const char* name : {"zero-point:stale", "padding:stale", "position:element", "position:row", "position:channel", "position:tail"}) {
    CAPTURE(name);
    CHECK(names(conv).count(name) == 1);
    for (const auto& r : conv.matrix.rules)
      if (r.name == name) CHECK(r.differs > 0);
  }
  const auto add = names(generate(request("add", "pytorch-fbgemm", "random", 8)));
  CHECK(add.count("input:a") == 1);
  CHECK(add.count("zero-point:stale") == 1);
  for (const auto& [name, why] : conv.matrix.not_tried) CHECK(why.find("only an observation") == std::string::npos);
}

TEST_CASE("where pairs saturate, inputs are solved for the sum that the register holds", "[golden][pairs][like]") {
  const Workshop w = open_workshop(request("linear", "pytorch-fbgemm@avx2", "boundary"));
  Random random = w.random("test");
  const Layer layer = blank_layer(w, {.name = "l", .dyadic = true, .extreme = true}, 24, random);
  const auto staged = Staged::of(w, layer);
  REQUIRE(staged);
  auto targets = around_boundaries(w, layer, *staged, true, random, 64);
  const auto beside_none = [&](const WantedSum& t) { return !staged->tie(t.acc - 1, t.channel) && !staged->tie(t.acc, t.channel) && !staged->tie(t.acc + 1, t.channel); };  // a channel whose bias is a quarter of a step
  targets.erase(std::remove_if(targets.begin(), targets.end(), beside_none), targets.end());
  std::int64_t placed = 0;
  Layer solved = place(w, layer, targets, random, placed);
  REQUIRE(placed >= 20);
  compute(w, solved);
  std::int64_t ties = 0, beside = 0;
  for (const auto& r : reached(w, {solved})) {
    if (r.what == "exact tie") ties = r.count;
    if (r.what == "one below a tie" || r.what == "one above a tie") beside += r.count;
  }
  CHECK(ties + beside >= placed);
}
