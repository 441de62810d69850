// sarif.cpp: the report as SARIF 2.1.0, for code scanning. A cause is a rule; a layer that it explains elements of is a result.
// Fingerprints are over dump, layer and cause alone: counts and versions change, the finding stays the same one.
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "reports/report.hpp"
#include "reports/words.hpp"

namespace lastbit::formats {
namespace {

using Json = nlohmann::ordered_json;

// FNV-1a, 64 bits, over the parts with a zero byte between.
std::string fingerprint(const std::vector<std::string>& parts) {
  std::uint64_t hash = 14695981039346656037u;
  for (const std::string& part : parts) {
    for (const char c : part) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
    hash *= 1099511628211u;
  }
  std::string text;
  for (int shift = 60; shift >= 0; shift -= 4) text += "0123456789abcdef"[hash >> shift & 15];
  return text;
}

// RFC 3986: a path as a relative reference, or as file: where it is absolute.
std::string uri(const std::string& path) {
  std::string out = !path.empty() && path[0] == '/' ? "file://" : "";
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || std::string_view("-_.~/@+,").find(c) != std::string_view::npos;
    if (plain) out += c;
    else out += std::string("%") + "0123456789ABCDEF"[byte >> 4] + "0123456789ABCDEF"[byte & 15];
  }
  return out;
}

struct Finding {
  const LayerReport* layer;
  std::string rule, level, text, about;
  std::string dump = {};       // where there is no layer
};

std::vector<Finding> findings_of(const LayerReport& l) {
  std::vector<Finding> all;
  if (l.verdict == Verdict::not_checked) all.push_back({&l, "not_checked", "warning", l.name + " (" + l.op + ") was not checked: " + l.reason, "A layer that was not checked."});
  if (!differs(l)) return all;
  const std::string where = words::divergence_sentence(l);
  for (const CauseFound& c : l.causes)
    all.push_back({&l, c.name, "error", where + ". " + c.name + " explains " + std::to_string(c.explains) + " of " + std::to_string(c.of) + ": " + c.sentence, c.sentence});
  if (l.unexplained) all.push_back({&l, "unexplained", "error", where + ". " + words::unexplained_sentence(l), "Elements that no known rule change explains."});
  if (l.mismatches == 0) all.push_back({&l, "inherited", "error", where, "Elements that differ only because earlier layers do."});
  return all;
}

// Under a gate only what it found is a result; a finding about the whole stands at the first dump.
std::vector<Finding> findings_of(const Report& report) {
  std::vector<Finding> all;
  if (!report.gate) {
    for (const LayerReport& l : report.layers)
      for (Finding& f : findings_of(l)) all.push_back(std::move(f));
    return all;
  }
  for (const GateFinding& g : report.gate->findings) {
    const auto layer = std::find_if(report.layers.begin(), report.layers.end(), [&](const LayerReport& l) { return l.dump == g.dump && l.name == g.layer; });
    all.push_back({layer == report.layers.end() ? nullptr : &*layer, "gate:" + g.rule, "error", g.sentence, "The gate's rule " + g.rule + "."});
    all.back().dump = g.dump.empty() && !report.dumps.empty() ? report.dumps.front() : g.dump;
  }
  return all;
}

Json result(const Finding& f, std::size_t rule_index) {
  LayerReport whole;
  whole.dump = f.dump;
  whole.name = "gate";
  const LayerReport& l = f.layer ? *f.layer : whole;
  Json location{{"physicalLocation", {{"artifactLocation", {{"uri", uri(l.dump + "/manifest.json")}}}, {"region", {{"startLine", 1}}}}},
                {"logicalLocations", Json::array({{{"name", l.name}, {"fullyQualifiedName", l.dump + "/" + l.name}, {"kind", "module"}}})}};
  Json j{{"ruleId", f.rule}, {"ruleIndex", rule_index}, {"level", f.level}, {"message", {{"text", f.text}}}, {"locations", Json::array({location})},
         {"partialFingerprints", {{"lastbitFinding/v1", fingerprint(f.layer ? std::vector{l.dump, l.name, f.rule} : std::vector{l.dump, f.rule, f.text})}}},
         {"properties", {{"op", l.op}, {"profile", l.profile}, {"elements", l.elements}, {"mismatches", l.mismatches}, {"max_lsb", l.max_lsb},
                         {"unexplained", l.unexplained}, {"repeat", l.command}}}};
  return j;
}

std::string render(const Report& report, const FormatOptions&) {
  const std::vector<Finding> findings = findings_of(report);
  std::vector<std::string> names;
  Json rules = Json::array(), results = Json::array();
  for (const Finding& f : findings) {
    auto known = std::find(names.begin(), names.end(), f.rule);
    if (known == names.end()) {
      rules.push_back({{"id", f.rule}, {"shortDescription", {{"text", f.about.empty() ? f.rule : f.about}}}, {"defaultConfiguration", {{"level", f.level}}}});
      known = names.insert(names.end(), f.rule);
    }
    results.push_back(result(f, static_cast<std::size_t>(known - names.begin())));
  }
  Json invocation{{"executionSuccessful", true}, {"exitCode", report.exit_status()}};
  if (!report.command.empty()) invocation["arguments"] = report.command;
  Json run{{"tool", {{"driver", {{"name", report.tool}, {"version", report.version}, {"rules", rules}}}}}, {"invocations", Json::array({invocation})}, {"results", results}};
  const Json log{{"$schema", "https://json.schemastore.org/sarif-2.1.0.json"}, {"version", "2.1.0"}, {"runs", Json::array({run})}};
  return log.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

Format sarif() { return {"sarif", "for code scanning: SARIF 2.1.0", render}; }

}  // namespace lastbit::formats
