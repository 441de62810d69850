// gate_test.cpp: every way a gate fails, with its sentence; what passes; and a real regression between two instruction sets.
#include <catch2/catch.hpp>
#include <cstdlib>

#include "lib/error.hpp"
#include "reports/words.hpp"
#include "tests/reports/every_kind.hpp"
#include "verifier/gate_run.hpp"

using namespace lastbit;

namespace {

GateInput of(std::vector<LayerReport> layers) {
  GateInput in;
  in.report.version = "0.1.0";
  in.report.dumps = {layers.empty() ? "d" : layers[0].dump};
  in.report.producers = {{{"isa", "avx2"}}};
  in.facts.assign(layers.size(), LayerFacts{"inputs", "outputs", 100});
  for (std::size_t i = 0; i < layers.size(); ++i) in.facts[i].inputs += std::to_string(i);
  in.report.layers = std::move(layers);
  return in;
}

Baseline baseline_of(const GateInput& in) { return {records(in, "known")}; }

std::vector<std::string> failures(const GateInput& in, const Policy& policy, const Baseline* baseline = nullptr) {
  std::vector<std::string> rules;
  for (const GateFinding& f : judge(in, policy, baseline).findings) rules.push_back(f.rule);
  return rules;
}

Policy policy(const std::string& rules, bool with_baseline = false) { return policy_from_json("{\"lastbit_policy\": 1, \"rules\": " + rules + "}", "p.json", with_baseline); }

std::string refused(const std::string& rules) {
  try {
    policy(rules);
  } catch (const Error& e) {
    return e.what();
  }
  return "accepted";
}

using Rules = std::vector<std::string>;

}  // namespace

TEST_CASE("without a policy and a baseline only equality passes the gate", "[gate]") {
  CHECK(failures(of({test::identical("a", 4)}), default_policy(false, {})).empty());
  CHECK(failures(of({test::explained()}), default_policy(false, {})) == Rules{"exact"});
  CHECK(failures(of({test::identical("a", 4), test::not_checked("b")}), default_policy(false, {})) == Rules{"not_checked"});
}

TEST_CASE("a gate that compared nothing fails, with status 5", "[gate]") {
  for (GateInput in : {of({}), of({test::not_checked("a")})}) {
    in.report.gate = judge(in, default_policy(false, {}), nullptr);
    CHECK_FALSE(in.report.gate->passed());
    CHECK(in.report.exit_status() == 5);
  }
}

TEST_CASE("at most so many LSB, so large a share, so many unexplained", "[gate]") {
  const GateInput one = of({test::explained()});  // 12 of 512, 1 LSB
  CHECK(failures(one, default_policy(false, 1)).empty());
  CHECK(failures(one, default_policy(false, 0)) == Rules{"max_lsb"});
  CHECK(failures(one, policy(R"([{"layers": "*", "max_lsb": 1, "mismatch_share": 0.0234375}])")).empty());
  CHECK(failures(one, policy(R"([{"layers": "*", "max_lsb": 1, "mismatch_share": 0.0234374}])")) == Rules{"mismatch_share"});
  const GateInput some = of({test::unexplained()});  // 9 unexplained, 1024 LSB
  CHECK(failures(some, default_policy(false, 1024)) == Rules{"unexplained"});
  CHECK(failures(some, policy(R"([{"layers": "*", "max_lsb": 1024, "unexplained": 9}])")).empty());
}

TEST_CASE("events, weak dumps and rules that match nothing", "[gate]") {
  const GateInput in = of({test::identical("a", 4)});  // ties and clamps
  CHECK(failures(in, policy(R"([{"layers": "*", "events": ["tie", "clamped"]}])")).empty());
  CHECK(failures(in, policy(R"([{"layers": "*", "events": ["tie"]}])")) == Rules{"events"});
  CHECK(failures(in, policy(R"([{"layers": "*", "distinct_outputs": 101}])")) == Rules{"weak"});
  CHECK(failures(in, policy(R"([{"layers": "*"}, {"layers": "conv*"}])")) == Rules{"empty_match"});
  CHECK(failures(in, policy(R"([{"layers": "b"}])")) == Rules{"no_rule", "empty_match"});
}

TEST_CASE("the last rule whose glob matches is in force", "[gate]") {
  CHECK(failures(of({test::explained()}), policy(R"([{"layers": "*"}, {"layers": "features.*", "max_lsb": 1}])")).empty());
  CHECK(failures(of({test::explained()}), policy(R"([{"layers": "features.*", "max_lsb": 1}, {"layers": "*"}])")) == Rules{"exact", });
}

TEST_CASE("no worse than the baseline", "[gate]") {
  const GateInput in = of({test::explained(), test::not_checked("b")});
  GateInput same_dump = in;
  same_dump.report.layers[1].dump = same_dump.report.layers[0].dump;
  const Baseline known = baseline_of(same_dump);
  const Policy policy = default_policy(true, {});
  CHECK(failures(same_dump, policy, &known).empty());

  GateInput worse = same_dump;
  SECTION("more mismatches") { worse.report.layers[0].mismatches = 13; }
  SECTION("larger ones") { worse.report.layers[0].max_lsb = 2; }
  SECTION("unexplained ones") { worse.report.layers[0].unexplained = 1; }
  SECTION("another cause") { worse.report.layers[0].causes[0].name = "bias:rounded"; }
  SECTION("as many from the same inputs, but others") { worse.facts[0].outputs = "others"; }
  CHECK(failures(worse, policy, &known) == Rules{"baseline"});
}

TEST_CASE("better than the baseline passes, and is said", "[gate]") {
  const Baseline known = baseline_of(of({test::explained()}));
  GateInput better = of({test::explained()});
  better.report.layers[0].mismatches = 3;
  const GateOutcome outcome = judge(better, default_policy(true, {}), &known);
  CHECK(outcome.passed());
  CHECK(outcome.notes == Rules{"better: features.0.conv has 3 mismatches, the baseline 12; lastbit baseline update writes it"});
}

TEST_CASE("stale entries, renamed layers, unknown and missing dumps fail", "[gate]") {
  const Policy policy = default_policy(true, {});
  const Baseline known = baseline_of(of({test::identical("a", 4), test::identical("b", 4)}));
  CHECK(failures(of({test::identical("a", 4)}), policy, &known) == Rules{"stale"});
  CHECK(failures(of({test::identical("a", 4), test::identical("c", 4)}), policy, &known) == Rules{"renamed"});
  auto other_op = test::identical("b", 4);
  other_op.op = "linear";
  CHECK(failures(of({test::identical("a", 4), other_op}), policy, &known) == Rules{"stale"});

  Baseline two = known;
  two.dumps.push_back(known.dumps[0]);
  two.dumps[1].dump = "elsewhere/other";
  CHECK(failures(of({test::identical("a", 4), test::identical("b", 4)}), policy, &two) == Rules{"stale"});
  GateInput unknown = of({test::identical("a", 4)});
  unknown.report.dumps = {"third"};
  unknown.report.layers[0].dump = "third";
  CHECK(failures(unknown, policy, &two) == Rules{"unknown_dump", "stale", "stale"});

  GateInput narrowed = of({test::identical("a", 4)});
  narrowed.layer_glob = "a";
  CHECK(failures(narrowed, policy, &known).empty());
}

TEST_CASE("bad policies and baselines are refused with their place", "[gate]") {
  CHECK(refused(R"([{"layers": "*", "max_lbs": 1}])") ==
        "p.json: rules[0]: found the key \"max_lbs\", expected layers, mode, max_lsb, mismatch_share, unexplained, events, not_checked, distinct_outputs, reason");
  CHECK(refused("[]") == "p.json: rules: found [], expected at least one rule");
  CHECK(refused(R"([{"layers": "*", "max_lsb": -1}])") == "p.json: rules[0].max_lsb: found -1, expected an integer >= 0");
  CHECK(refused(R"([{"layers": "*", "mismatch_share": 2}])") == "p.json: rules[0].mismatch_share: found 2, expected a share, 0..1");
  CHECK(refused(R"([{"layers": "*", "mode": "baseline"}])") == "p.json: rules[0].mode: found \"baseline\", expected exact or at_most, or --baseline FILE");
  CHECK(refused(R"([{"layers": "*", "mode": "exact", "max_lsb": 1}])") == "p.json: rules[0].mode: found \"exact\", expected at_most, as a limit is given");
  CHECK(refused(R"([{"layers": "*", "events": ["ties"]}])").find("p.json: rules[0].events[0]: found \"ties\"") == 0);
  CHECK_THROWS_AS(baseline_from_json("{}", "b.json"), Error);
  CHECK_THROWS_WITH(baseline_from_json(R"({"lastbit_baseline": 2, "dumps": []})", "b.json"), "b.json: lastbit_baseline: found 2, expected 1");
}

TEST_CASE("a baseline reads back, and an update keeps the reasons of what did not change", "[gate]") {
  const Baseline first = baseline_of(of({test::explained(), test::identical("b", 4)}));
  CHECK(to_json(baseline_from_json(to_json(first), "b.json")) == to_json(first));
  GateInput now = of({test::explained(), test::identical("b", 5)});
  const auto nothing = [](const std::string&) { return false; };
  const Baseline second = updated(first, records(now, "new size"), nothing);
  CHECK(second.dumps[0].layers[0].reason == "known");
  CHECK(second.dumps[0].layers[1].reason == "new size");
}

TEST_CASE("CI is on when CI is set, not empty and not false", "[gate]") {
  const char* before = std::getenv("CI");
  const std::string kept = before ? before : "";
  for (const auto& [value, on] : {std::pair{"true", true}, {"1", true}, {"", false}, {"false", false}}) {
    setenv("CI", value, 1);
    CHECK(in_ci() == on);
  }
  unsetenv("CI");
  CHECK_FALSE(in_ci());
  if (before) setenv("CI", kept.c_str(), 1);
}

TEST_CASE("annotations are one line each", "[gate]") {
  GateOutcome gate;
  gate.findings = {{"exact", "d", "a", "100 %\nof it"}};
  CHECK(github_annotations(gate) == "::error title=lastbit gate::100 %25%0Aof it\n");
}

TEST_CASE("another instruction set is a regression, with the right cause in the first line", "[gate]") {
  const std::string data = LASTBIT_TEST_DATA "/isa/";
  VerifyOptions vnni, avx2;
  vnni.dumps = {data + "avx512_vnni/conv1d"};
  avx2.dumps = {data + "avx2/conv1d"};
  const Baseline known{records(verify_for_gate(vnni, nullptr), "PyTorch 2.13 on AVX-512 VNNI")};
  const Policy policy = default_policy(true, {});

  GateInput same = verify_for_gate(vnni, &known);
  CHECK(judge(same, policy, &known).passed());
  // By its own arithmetic the other dump is right, too:
  CHECK(verify_for_gate(avx2, nullptr).report.verdict() == Verdict::identical);

  GateInput other = verify_for_gate(avx2, &known);
  other.report.gate = judge(other, policy, &known);
  CHECK(other.report.exit_status() == 1);
  const std::string text = find_format("text").render(other.report, {});
  CHECK(text.substr(0, text.find('\n')).find("gate failed: pairs:int16: conv1_001 (conv1d") == 0);
  for (const LayerReport& layer : other.report.layers) CHECK(layer.unexplained == 0);
}

TEST_CASE("another engine is a regression where the baseline's layers had several profiles, too", "[gate]") {
  const std::string data = LASTBIT_TEST_DATA "/runtimes/litert-2.3/";
  VerifyOptions xnnpack, ruy;
  xnnpack.dumps = {data + "xnnpack/requantize"};
  ruy.dumps = {data + "builtin/requantize"};
  const Baseline written{records(verify_for_gate(xnnpack, nullptr), "XNNPACK")};
  REQUIRE(written.dumps[0].profile.empty());
  const Baseline known = baseline_from_json(to_json(written), "b.json");
  CHECK(to_json(known) == to_json(written));
  const Policy policy = default_policy(true, {});
  CHECK(judge(verify_for_gate(xnnpack, &known), policy, &known).passed());
  CHECK(verify_for_gate(ruy, nullptr).report.verdict() == Verdict::identical);  // by its own arithmetic
  GateInput other = verify_for_gate(ruy, &known);
  const GateOutcome outcome = judge(other, policy, &known);
  REQUIRE(outcome.findings.size() == 16);  // of the layers that XNNPACK itself ran; the others were ruy's already
  for (const GateFinding& f : outcome.findings) {
    CHECK(f.rule == "baseline");
    CHECK(f.sentence.find("xnnpack") != std::string::npos);
    CHECK(f.sentence.find("unexplained") == std::string::npos);
  }
}
