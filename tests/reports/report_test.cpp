// report_test.cpp: verdicts and exit status, reading back, merging, and what formats must not let through.
#include <catch2/catch.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>

#include "lib/error.hpp"
#include "reports/from_json.hpp"
#include "reports/merge.hpp"
#include "reports/words.hpp"
#include "tests/reports/every_kind.hpp"

using namespace lastbit;

namespace {

std::string json(const Report& r) { return find_format("json").render(r, {}); }

Report only(LayerReport layer) {
  Report r;
  r.version = "0.1.0";
  r.dumps = {layer.dump};
  r.producers = {{}};
  r.layers = {std::move(layer)};
  return r;
}

std::string refusal(const std::string& text) {
  try {
    report_from_json(text, "r.json");
  } catch (const Error& e) {
    return e.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("only equality passes, and nothing compared is not a pass", "[reports]") {
  CHECK(only(test::identical("a", 4)).exit_status() == 0);
  CHECK(only(test::undefined()).exit_status() == 0);
  CHECK(only(test::explained()).exit_status() == 1);
  CHECK(only(test::not_checked("a")).exit_status() == 5);
  CHECK(only(test::identical("a", 0)).exit_status() == 5);
  auto all_undefined = test::undefined();
  all_undefined.events.undefined = all_undefined.elements;
  CHECK(only(all_undefined).exit_status() == 0);  // compared, with intervals
  CHECK(test::every_kind().verdict() == Verdict::different);
  CHECK(test::every_kind().first_divergence()->name == "features.0.conv");
}

TEST_CASE("inherited mismatches count as different", "[reports]") {
  const Report r = only(test::inherited());
  CHECK(r.verdict() == Verdict::different);
  CHECK(r.exit_status() == 1);
  CHECK(r.first_divergence()->name == "classifier");
}

TEST_CASE("a JSON report read back renders to the same bytes in every format", "[reports]") {
  const Report r = test::every_kind();
  const Report again = report_from_json(json(r), "r.json");
  for (const Format& format : all_formats()) {
    CAPTURE(format.name);
    CHECK(format.render(again, {}) == format.render(r, {}));
  }
}

TEST_CASE("JSON numbers are numbers, and what has no number is a string", "[reports]") {
  const auto j = nlohmann::json::parse(json(test::every_kind()));
  const auto& floats = j.at("layers").at(3);
  CHECK(floats.at("worst").at(0).at("expected") == 0.1);
  CHECK(floats.at("worst").at(0).at("observed") == "nan");
  CHECK(std::signbit(floats.at("worst").at(1).at("expected").get<double>()));
  CHECK(floats.at("worst").at(2).at("observed") == "inf");
  CHECK(floats.at("mean_lsb") == "inf");
  CHECK(floats.at("cosine") == "nan");
  CHECK(j.at("layers").at(1).at("worst").at(0).at("expected").is_number_integer());
  CHECK(j.at("layers").at(5).at("mismatches") == 0);
}

TEST_CASE("chained stands in JSON only where it was asked for", "[reports]") {
  CHECK(json(only(test::identical("a", 4))).find("chained") == std::string::npos);
}

TEST_CASE("bad reports are refused with their place", "[reports]") {
  const auto good = nlohmann::json::parse(json(test::every_kind()));
  CHECK(refusal("") .find("r.json: found no JSON") == 0);
  CHECK(refusal("[]").find("r.json: ") == 0);
  CHECK(refusal("{}").find("r.json: tool: found nothing") == 0);
  CHECK(refusal(std::string(100000, '[')).find("nested deeper") != std::string::npos);
  const auto changed = [&](const std::string& pointer, const nlohmann::json& value) {
    auto j = good;
    j[nlohmann::json::json_pointer(pointer)] = value;
    return refusal(j.dump());
  };
  CHECK(changed("/layers", 3) == "r.json: layers: found 3, expected an array");
  CHECK(changed("/layers/1/mismatches", -1) == "r.json: layers[1].mismatches: found -1, expected an integer >= 0");
  CHECK(changed("/layers/1/mismatches", 1.5) == "r.json: layers[1].mismatches: found 1.5, expected an integer >= 0");
  CHECK(changed("/layers/1/max_lsb", 18446744073709551615u) == "r.json: layers[1].max_lsb: found 18446744073709551615, expected an integer of 64 bits");
  CHECK(changed("/layers/0/verdict", "fine") == "r.json: layers[0].verdict: found \"fine\", expected identical, different, not_checked or undefined_only");
  CHECK(changed("/layers/1/verdict", "identical").find("expected the verdict of 12 mismatches") != std::string::npos);
  CHECK(changed("/layers/1/histogram", {{"x", 1}}).find("expected integers as keys") != std::string::npos);
  CHECK(changed("/layers/1/histogram", {{"9223372036854775807", 1}}).find("expected an error of at most 1024") != std::string::npos);
  CHECK(changed("/layers/1/elements", 4611686018427387904) == "r.json: layers[1].elements: found 4611686018427387904, expected an integer of at most 2^40");
  CHECK(changed("/layers/1/events/undefined", 513) == "r.json: layers[1].events.undefined: found 513, expected at most the number of elements");
  CHECK(changed("/layers/1/error_map/rows", 1099511627776).find("expected rows * columns values") != std::string::npos);
  CHECK(changed("/tool/name", "other") == "r.json: tool.name: found \"other\", expected \"lastbit\"");
}

TEST_CASE("merging is associative and does not see the order of its parts", "[reports]") {
  const Report whole = test::every_kind();
  std::vector<Part> parts;
  for (std::size_t i = 0; i < whole.layers.size(); ++i) {
    Report part = whole;
    part.layers = {whole.layers[i]};
    part.command.push_back("--layer=" + whole.layers[i].name);
    parts.push_back({part, std::to_string(i)});
  }
  const std::string merged_once = json(merged(parts));
  std::reverse(parts.begin(), parts.end());
  CHECK(json(merged(parts)) == merged_once);
  for (std::size_t cut = 1; cut < parts.size(); ++cut) {
    const auto middle = parts.begin() + static_cast<std::ptrdiff_t>(cut);
    const Part left{merged({parts.begin(), middle}), "left"}, right{merged({middle, parts.end()}), "right"};
    CHECK(json(merged({left, right})) == merged_once);
    CHECK(json(merged({right, left, right})) == merged_once);
  }
}

// Every layer with a clock, two dumps of one name, a gate: cut into parts at random, merged in random groups, read back between.
TEST_CASE("any partition and any grouping of a report merges to the same bytes", "[reports]") {
  Report whole = test::every_kind();
  whole.dumps.push_back(whole.dumps[0]);
  whole.producers.push_back({{"isa", "neon"}});
  for (std::size_t i = 0; i < 3; ++i) {
    LayerReport other = whole.layers[i];
    other.elements += 1000;
    whole.layers.push_back(other);
  }
  for (std::size_t i = 0; i < whole.layers.size(); ++i) whole.layers[i].timing = Timing{0.5 * static_cast<double>(i), 0.25, 0, 3.5, "plain"};
  const auto gate = [](Report& r) {
    r.gate.emplace();
    for (const LayerReport& l : r.layers)
      if (l.mismatches) r.gate->findings.push_back({"exact", l.dump, l.name, l.name + " differs in " + std::to_string(l.elements)});
    r.gate->notes = {"a note"};
  };
  std::uint64_t state = 1;
  const auto below = [&](std::size_t n) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<std::size_t>((state >> 33) % n);
  };
  for (const bool gated : {false, true}) {
    Report all = whole;
    if (gated) gate(all);
    const std::string expected = json(merged({{all, "all"}}));
    for (int trial = 0; trial < 60; ++trial) {
      std::vector<Part> parts(1 + below(5));
      for (std::size_t p = 0; p < parts.size(); ++p) {
        parts[p] = {whole, std::to_string(p)};
        parts[p].report.layers.clear();
      }
      for (const LayerReport& l : whole.layers) {  // in one part at least, in several at times, then with another clock
        std::size_t p = below(parts.size());
        parts[p].report.layers.push_back(l);
        if (below(3)) continue;
        LayerReport slower = l;
        slower.timing->time_ms += 1000;
        parts[below(parts.size())].report.layers.push_back(slower);
      }
      for (Part& p : parts)
        if (gated) gate(p.report);
      while (parts.size() > 1) {
        const std::size_t a = below(parts.size());
        std::size_t b = below(parts.size() - 1);
        if (b >= a) ++b;
        const Part both{report_from_json(json(merged({parts[a], parts[b]})), "both"), "both"};
        parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(std::max(a, b)));
        parts[std::min(a, b)] = both;
      }
      REQUIRE(json(merged(parts)) == expected);
    }
  }
}

TEST_CASE("parts that verify made of other dumps with the same options merge to what it makes of all of them", "[reports]") {
  const auto part = [](const std::string& dump, std::vector<std::string> options) {
    Report r;
    r.dumps = {dump};
    r.producers = {{{"framework", "pytorch"}}};
    r.command = {"verify", dump};
    r.command.insert(r.command.end(), options.begin(), options.end());
    return Part{r, dump};
  };
  const Part a = part("a", {"--profile", "qnn"}), b = part("b", {"--profile", "qnn"}), c = part("c", {"--profile", "qnn"});
  CHECK(merged({b, a}).command == std::vector<std::string>{"verify", "a", "b", "--profile", "qnn"});
  CHECK(merged({{merged({c, a}), "ac"}, b}).command == std::vector<std::string>{"verify", "a", "b", "c", "--profile", "qnn"});
  CHECK(merged({a, part("b", {})}).command.empty());
}

TEST_CASE("a merge explains the layers that one report explains", "[reports]") {
  Report whole = test::long_network(600);
  std::vector<Part> parts;
  const auto explain = [](Report& r) {
    int left = layers_explained;
    for (LayerReport& l : r.layers)
      if (l.mismatches && !l.worst.empty()) l.worst.front().explain = left-- > 0 ? "why" : "";
  };
  for (std::size_t first = 0; first < 600; first += 150) {
    Report part = whole;
    part.layers.assign(whole.layers.begin() + static_cast<std::ptrdiff_t>(first), whole.layers.begin() + static_cast<std::ptrdiff_t>(first) + 150);
    explain(part);
    parts.push_back({part, std::to_string(first)});
  }
  explain(whole);
  CHECK(json(merged(parts)) == json(whole));
  CHECK(json(merged({parts[2], {merged({parts[3], parts[1]}), "right"}, {merged({parts[0], parts[1]}), "left"}})) == json(whole));
}

TEST_CASE("parts that contradict each other do not merge", "[reports]") {
  const Report a = test::every_kind();
  Report b = a;
  b.gate.emplace();
  CHECK_THROWS_WITH(merged({{a, "a.json"}, {b, "b.json"}}), "b.json: found a report of the gate, expected one of verify as in a.json");
  b = a;
  b.version = "0.2.0";
  CHECK_THROWS_WITH(merged({{a, "a.json"}, {b, "b.json"}}), "b.json: found version 0.2.0, expected 0.1.0 as in a.json");
  b = a;
  b.chained = false;
  CHECK_THROWS_AS(merged({{a, "a.json"}, {b, "b.json"}}), Error);
}

TEST_CASE("text fits eighty columns, copied commands aside", "[reports]") {
  for (const Report& r : {test::every_kind(), test::long_network(300)}) {
    std::istringstream lines(find_format("text").render(r, {}));
    for (std::string line; std::getline(lines, line);) {
      if (line.find("repeat: ") != std::string::npos) continue;
      CAPTURE(line);
      CHECK(line.size() <= 80);
    }
  }
}

TEST_CASE("names cannot move a terminal's cursor, nor end a script, a table or a tag", "[reports]") {
  LayerReport l = test::explained();
  l.name = "\x1b[2J</script><script>alert(1)</script>|\r\n";
  const Report r = only(l);
  CHECK(find_format("text").render(r, {}).find('\x1b') == std::string::npos);
  CHECK(find_format("html").render(r, {}).find("<script>alert") == std::string::npos);
  CHECK(find_format("junit").render(r, {}).find('\x1b') == std::string::npos);
  CHECK(find_format("markdown").render(r, {}).find("<script>") == std::string::npos);
}

TEST_CASE("the HTML page loads nothing", "[reports]") {
  const std::string page = find_format("html").render(test::every_kind(), {});
  for (const char* bad : {"src=", "href=\"http", "href='http", "url(", "@import", "<base"}) {
    CAPTURE(bad);
    CHECK(page.find(bad) == std::string::npos);
  }
}

TEST_CASE("SARIF fingerprints depend on dump, layer and cause alone", "[reports]") {
  const auto prints = [](const Report& r) {
    std::vector<std::string> all;
    const auto log = nlohmann::json::parse(find_format("sarif").render(r, {}));
    for (const auto& result : log.at("runs").at(0).at("results"))
      all.push_back(result.at("partialFingerprints").at("lastbitFinding/v1"));
    return all;
  };
  Report r = test::every_kind();
  const auto before = prints(r);
  REQUIRE(before.size() == 7);
  auto sorted = before;
  std::sort(sorted.begin(), sorted.end());
  CHECK(std::unique(sorted.begin(), sorted.end()) == sorted.end());
  r.version = "9";
  r.layers[1].mismatches = 400;
  r.layers[1].elements = 4000;
  CHECK(prints(r) == before);
}

TEST_CASE("a shell reads arguments back", "[reports]") {
  CHECK(words::shell({"verify", "a b", "it's", ""}) == "verify 'a b' 'it'\\''s' ''");
}
