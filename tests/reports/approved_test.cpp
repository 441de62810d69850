// approved_test.cpp: every format over the report that has every kind of result, compared with what was approved. A difference leaves
// NAME.received.txt beside the approved file: look at it, and move it there if it is right.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "reports/html/parts.hpp"
#include "reports/report.hpp"
#include "tests/reports/every_kind.hpp"

using namespace lastbit;

namespace {

const std::filesystem::path folder = std::filesystem::path(LASTBIT_TEST_DATA).parent_path() / "reports/approved";

std::string read(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

void check(const std::string& name, std::string rendered) {
  for (const auto& [inlined, mark] : {std::pair{html::chart, "[chart.min.js]"}, {html::style, "[style.css]"}, {html::script, "[page.js]"}})
    if (const std::size_t at = rendered.find(inlined); at != std::string::npos) rendered.replace(at, inlined.size(), mark);
  const auto received = folder / (name + ".received.txt");
  const bool same = rendered == read(folder / (name + ".txt"));
  if (same) std::filesystem::remove(received);
  else std::ofstream(received, std::ios::binary) << rendered;
  INFO("differs from the approved output: see " << received.string());
  CHECK(same);
}

}  // namespace

TEST_CASE("every format gives its approved output", "[reports]") {
  REQUIRE(all_formats().size() >= 7);
  for (const Format& format : all_formats()) check(format.name, format.render(test::every_kind(), {}));
}

TEST_CASE("text in colour gives its approved output", "[reports]") { check("text-color", find_format("text").render(test::every_kind(), {true, 80})); }

TEST_CASE("what a gate found gives its approved output", "[reports]") {
  Report r = test::every_kind();
  r.gate = GateOutcome{{{"baseline", "dumps/model a", "features.0.conv", "round:half-away: features.0.conv (conv2d): 12 of 512 elements differ, max 1 LSB, where the baseline knows 0"},
                        {"stale", "dumps/b", "", "stale: the baseline's layer gone (conv2d) is not in dumps/b"}},
                       {"better: classifier has 0 mismatches, the baseline 4; lastbit baseline update writes it"}};
  for (const char* format : {"text", "json", "junit", "sarif", "markdown"}) check(std::string(format) + "-gate", find_format(format).render(r, {}));
  r.gate = GateOutcome{};
  CHECK(r.exit_status() == 0);
  CHECK(find_format("text").render(r, {}).find("gate passed: 8 layers, 2381 elements\n") == 0);
}

TEST_CASE("three hundred layers stay readable as text", "[reports]") { check("text-long", find_format("text").render(test::long_network(300), {})); }

TEST_CASE("an identical report is two lines and a table", "[reports]") {
  Report r;
  r.version = "0.1.0";
  r.dumps = {"dumps/model a"};
  r.producers = {{}};
  r.layers = {test::identical("conv1", 768), test::undefined()};
  check("text-identical", find_format("text").render(r, {}));
}

TEST_CASE("an empty report says that nothing was compared, in every format", "[reports]") {
  const Report empty;
  CHECK(empty.exit_status() == 5);
  CHECK(empty.verdict() == Verdict::not_checked);
  for (const Format& format : all_formats()) {
    CAPTURE(format.name);
    CHECK_FALSE(format.render(empty, {}).empty());
  }
}
