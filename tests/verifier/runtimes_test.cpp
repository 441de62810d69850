// runtimes_test.cpp: what real runtimes computed, reproduced to the last bit. The dumps under data/runtimes are cut from whole
// families (data/cut.py); each says by which runtime, version and instruction set.
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <tuple>

#include "tests/support.hpp"
#include "verifier/verify.hpp"

using namespace lastbit;
namespace fs = std::filesystem;

namespace {

std::vector<std::string> dumps_under(const std::string& folder) {
  std::vector<std::string> all;
  for (const auto& e : fs::recursive_directory_iterator(fs::path(LASTBIT_TEST_DATA) / folder))
    if (e.path().filename() == "manifest.json") all.push_back(e.path().parent_path().string());
  std::sort(all.begin(), all.end());
  return all;
}

Report verify(const std::string& dump, std::set<std::string> forms = {"integer"}, bool chained = false, bool events = true) {
  VerifyOptions o;
  o.events = events;
  o.dumps = {dump};
  o.forms = std::move(forms);
  o.chained = chained;
  o.causes = false;
  o.jobs = 1;
  return verify_dumps(o);
}

}  // namespace

TEST_CASE("every layer of every runtime is reproduced to the last bit", "[verifier][runtimes]") {
  const auto dumps = dumps_under("runtimes");
  REQUIRE(dumps.size() > 150);  // a suite that lost its data must not pass
  EventCounts reached;
  std::int64_t elements = 0;
  for (const auto& dump : dumps) {
    if (dump.find("/bugs/") != std::string::npos) continue;
    const Report report = verify(dump);
    for (const auto& layer : report.layers) {
      CAPTURE(dump, layer.name, layer.op, layer.profile, layer.reason);
      CHECK(layer.mismatches == 0);
      CHECK(layer.verdict != Verdict::not_checked);
      elements += layer.elements;
      reached.tie += layer.events.tie;
      reached.clamped += layer.events.clamped;
      reached.wrapped += layer.events.wrapped;
      reached.pair_saturated += layer.events.pair_saturated;
      reached.undefined += layer.events.undefined;
    }
  }
  // What a suite never reached it has not tested.
  CHECK(elements > 1000000);
  CHECK(reached.tie > 1000);
  CHECK(reached.clamped > 1000);
  CHECK(reached.pair_saturated > 100);
  CHECK(reached.undefined * 20 < elements);
}

TEST_CASE("without events the verdicts and the accumulators of real runtimes are the same, and only layers that differ are counted", "[verifier][runtimes]") {
  std::int64_t counted = 0, undefined = 0, differ = 0;
  for (const auto& dump : dumps_under("runtimes")) {
    const Report with = verify(dump), without = verify(dump, {"integer"}, false, false);
    REQUIRE(with.layers.size() == without.layers.size());
    for (std::size_t i = 0; i < with.layers.size(); ++i) {
      const LayerReport &a = with.layers[i], &b = without.layers[i];
      CAPTURE(dump, a.name, a.op);
      CHECK(a.elements == b.elements);
      CHECK(a.mismatches == b.mismatches);
      CHECK(a.verdict == b.verdict);
      CHECK(std::tie(a.accumulator.min, a.accumulator.max, a.accumulator.worst_case_min, a.accumulator.worst_case_max) ==
            std::tie(b.accumulator.min, b.accumulator.max, b.accumulator.worst_case_min, b.accumulator.worst_case_max));
      CHECK(a.events.undefined == b.events.undefined);
      const auto sum = [](const EventCounts& e) { return e.tie + e.clamped + e.saturated + e.wrapped + e.pair_saturated + e.inexact_float; };
      CHECK(sum(b.events) == (a.mismatches ? sum(a.events) : 0));
      counted += sum(a.events), undefined += a.events.undefined, differ += a.mismatches && sum(b.events);
    }
  }
  CHECK(counted > 10000);
  CHECK(undefined > 0);
  CHECK(differ > 0);
}

TEST_CASE("layers in which a released runtime erred are reported as different, and explained wholly", "[verifier][bugs]") {
  const auto dumps = dumps_under("runtimes/bugs");
  REQUIRE(dumps.size() == 4);
  for (const auto& dump : dumps) {
    VerifyOptions o;
    o.dumps = {dump};
    o.forms = {"integer"};
    const Report report = verify_dumps(o);
    CAPTURE(dump);
    CHECK(report.verdict() == Verdict::different);
    const std::string expected = dump.find("stale") != std::string::npos ? "zero-point:stale" : dump.find("wrong-weights") != std::string::npos ? "weight:reordered" : dump.find("clamp") != std::string::npos ? "layout:nhwc" : "fbgemm:direct-transpose";
    for (const auto& layer : report.layers) {
      CAPTURE(layer.name);
      CHECK(layer.unexplained == 0);
      if (layer.mismatches) {
        REQUIRE(!layer.causes.empty());
        const auto& first = layer.causes.front();
        const bool named = first.name == expected || std::find(first.group.begin(), first.group.end(), expected) != first.group.end();
        CHECK(named);
      }
    }
  }
}

TEST_CASE("the three seed models of every engine come out whole, from the input to the output", "[verifier][chained]") {
  const auto dumps = dumps_under("models");
  REQUIRE(dumps.size() >= 12);
  for (const auto& dump : dumps) {
    const Report report = verify(dump, {"integer", "float", "exact"}, true);
    for (const auto& layer : report.layers) {
      CAPTURE(dump, layer.name);
      CHECK(layer.mismatches == 0);
      REQUIRE(layer.chained.has_value());
      CHECK(layer.chained->mismatches == 0);
    }
    CHECK(report.exit_status() == 0);
  }
}

TEST_CASE("a report does not depend on the number of threads", "[verifier][bytes]") {
  const auto dumps = dumps_under("runtimes/bugs");
  const auto render = [&](unsigned jobs) {
    VerifyOptions o;
    o.dumps = dumps;
    o.jobs = jobs;
    return find_format("json").render(verify_dumps(o), {});
  };
  CHECK(render(1) == render(4));
}

TEST_CASE("a profile of another instruction set is told apart where pairs saturate", "[verifier][isa]") {
  const std::string avx2 = std::string(LASTBIT_TEST_DATA) + "/runtimes/pytorch-2.13/fbgemm/avx2/conv2d";
  CHECK(verify(avx2).exit_status() == 0);
  VerifyOptions o;
  o.dumps = {avx2};
  o.profile = "pytorch-fbgemm@avx512_vnni";
  o.forms = {"integer"};
  const Report other = verify_dumps(o);
  CHECK(other.exit_status() == 1);
  for (const auto& layer : other.layers) {
    CAPTURE(layer.name);
    CHECK(layer.unexplained == 0);
    if (layer.mismatches) CHECK(layer.causes.front().name == "pairs:int16");
  }
}

TEST_CASE("oneDNN asks for VBMI beside the instruction set: without it the taps of one channel are not gathered", "[verifier][isa]") {
  for (const std::string isa : {"avx512", "avx512_vnni"}) {
    const fs::path without = fs::path(LASTBIT_TEST_DATA) / "runtimes/pytorch-2.13/onednn" / isa / "without_vbmi";
    test::TemporaryFolder folder;
    fs::copy(without, folder.path);
    auto manifest = test::Json::parse(test::read_file(without / "manifest.json"));
    REQUIRE(manifest["producer"].erase("vbmi") == 1);
    test::write_file(folder.path / "manifest.json", manifest.dump());
    for (const auto& layer : verify(folder.path.string()).layers) {
      CAPTURE(isa, layer.name);
      CHECK((layer.op == "reshape" || layer.mismatches > 0));
    }
  }
}
