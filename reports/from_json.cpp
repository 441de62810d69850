// from_json.cpp: the inverse of formats/json.cpp. What it reads may come from anywhere, so every type and range is looked at.
#include "reports/from_json.hpp"

#include "lib/error.hpp"
#include "reports/json_place.hpp"
#include "reports/words.hpp"

namespace lastbit {
namespace {

using reading::Json;
using reading::json_from;
using At = reading::JsonPlace;

Verdict verdict(const At& at) {
  const std::string word = at.text();
  for (const Verdict v : {Verdict::identical, Verdict::different, Verdict::not_checked, Verdict::undefined_only})
    if (word == name(v)) return v;
  at.refuse("identical, different, not_checked or undefined_only");
}

std::map<std::int64_t, std::int64_t> histogram(const At& at) {
  if (!at.json.is_object()) at.refuse("an object");
  std::map<std::int64_t, std::int64_t> bins;
  for (const auto& [key, value] : at.json.items()) {
    const Json lsb = Json::parse(key, nullptr, false);
    if (!lsb.is_number_integer() || lsb.dump() != key) at.refuse("integers as keys");
    const std::int64_t error = at.inside(lsb, key).integer();
    if (error < -1024 || error > 1024) at.inside(lsb, key).refuse("an error of at most 1024, where larger ones are counted");
    bins[error] = at.inside(value, key).counted();
  }
  return bins;
}

WorstElement element(const At& at) {
  WorstElement e;
  e.output = at.has("output") ? at["output"].text() : "y";
  e.index = at["index"].integers();
  e.expected = at["expected"].printed();
  e.observed = at["observed"].printed();
  e.lsb = at.has("lsb") ? at["lsb"].integer() : 0;
  if (at.has("acc") && !at["acc"].json.is_null()) e.acc = at["acc"].integer();
  if (at.has("exact")) e.exact = at["exact"].printed();
  if (at.has("events")) e.events = at["events"].text();
  if (at.has("explain")) e.explain = at["explain"].text();
  return e;
}

CauseFound cause(const At& at) {
  CauseFound c;
  c.name = at["name"].text();
  c.explains = at["explains"].counted();
  c.of = at["of"].counted();
  c.sentence = at["sentence"].text();
  if (at.has("next")) c.next = at["next"].text();
  if (at.has("group")) c.group = at["group"].texts();
  if (at.has("deciding")) c.deciding = at["deciding"].list([](const At& i) { return i.integers(); });
  return c;
}

ErrorMap error_map(const At& at) {
  ErrorMap map{at["channels"].counted(), at["positions"].counted(), at["rows"].counted(), at["columns"].counted(), at["values"].counts()};
  const auto values = static_cast<std::int64_t>(map.values.size());
  const bool fits = map.rows == 0 || map.columns == 0 ? values == 0 : map.rows <= values && map.columns == values / map.rows && values % map.rows == 0;
  if (!fits) at.refuse("rows * columns values");
  return map;
}

void numbers(const At& at, LayerReport& l) {
  const At events = at["events"], accumulator = at["accumulator"], exact = at["exact"], float_form = at["float"], evidence = at["evidence"];
  l.events = {events["tie"].counted(),     events["clamped"].counted(),        events["saturated"].counted(),    events["wrapped"].counted(),
              events["pair_saturated"].counted(), events["inexact_float"].counted(), events["undefined"].counted()};
  l.accumulator = {accumulator["min"].integer(),            accumulator["max"].integer(),            accumulator["bits"].bits(),
                   accumulator["worst_case_min"].integer(), accumulator["worst_case_max"].integer(), accumulator["worst_case_bits"].bits()};
  l.exact = {exact["max_error_lsb"].number(), exact["mean_error_lsb"].number(), exact["ties"].counted(), exact["not_correctly_rounded"].counted(),
             exact.has("histogram") ? exact["histogram"].counts() : std::vector<std::int64_t>()};
  l.float_form.mismatches = float_form["mismatches"].counted();
  l.float_form.max_lsb = float_form["max_lsb"].counted();
  if (float_form.has("float64_mismatches")) l.float_form.float64_mismatches = float_form["float64_mismatches"].counted();
  if (float_form.has("float64_max_lsb")) l.float_form.float64_max_lsb = float_form["float64_max_lsb"].counted();
  l.rules_out = evidence["rules_out"].texts();
  l.cannot_rule_out = evidence["cannot_rule_out"].texts();
}

void optional_parts(const At& at, LayerReport& l) {
  if (at.has("chained"))
    l.chained = ChainedSummary{at["chained"]["mismatches"].counted(), at["chained"]["max_lsb"].counted(), at["chained"]["inherited"].counted()};
  if (at.has("pairs")) l.pairs = PairSummary{at["pairs"]["possible"].counted(), at["pairs"]["channels"].counted(), at["pairs"]["observed"].counted()};
  if (at.has("error_map")) l.error_map = error_map(at["error_map"]);
  if (at.has("time_ms"))
    l.timing = Timing{at["time_ms"].number(), at["load_ms"].number(), at["pack_ms"].number(), at["gops"].number(), at["kernel"].text()};
}

LayerReport layer(const At& at) {
  LayerReport l;
  l.dump = at["dump"].text();
  l.name = at["name"].text();
  l.op = at["op"].text();
  l.profile = at["profile"].text();
  if (at.has("position")) l.position = at["position"].counted();
  l.verdict = verdict(at["verdict"]);
  l.reason = at["reason"].text();
  l.elements = at["elements"].counted();
  l.mismatches = at["mismatches"].counted();
  l.max_lsb = at["max_lsb"].counted();
  l.mean_lsb = at["mean_lsb"].number();
  l.histogram = histogram(at["histogram"]);
  l.causes = at["causes"].list(cause);
  if (at.has("near_misses")) l.near_misses = at["near_misses"].list(cause);
  l.unexplained = at["unexplained"].counted();
  numbers(at, l);
  if (l.events.undefined > l.elements) at["events"]["undefined"].refuse("at most the number of elements");
  l.sqnr_db = at["sqnr_db"].number();
  l.cosine = at["cosine"].number();
  l.worst = at["worst"].list(element);
  if (at.has("first")) l.first = at["first"].list(element);
  if (at.has("notes")) l.notes = at["notes"].texts();
  if (at.has("command")) l.command = at["command"].text();
  optional_parts(at, l);
  if ((l.mismatches > 0) != (l.verdict == Verdict::different)) at["verdict"].refuse("the verdict of " + words::count(l.mismatches, "mismatch", "mismatches"));
  return l;
}

GateOutcome gate(const At& at) {
  GateOutcome outcome;
  outcome.findings = at["findings"].list([](const At& f) { return GateFinding{f["rule"].text(), f["dump"].text(), f["layer"].text(), f["sentence"].text()}; });
  outcome.notes = at["notes"].texts();
  return outcome;
}

std::map<std::string, std::string> producer(const At& at) {
  if (!at.json.is_object()) at.refuse("an object of strings");
  std::map<std::string, std::string> fields;
  for (const auto& [key, value] : at.json.items()) fields[key] = at.inside(value, key).text();
  return fields;
}

}  // namespace

Report report_from_json(const std::string& text, const std::string& place) {
  const Json json = json_from(text, place);
  const At root{json, place, ""};
  Report report;
  if (root["tool"]["name"].text() != "lastbit") root["tool"]["name"].refuse("\"lastbit\"");
  report.version = root["tool"]["version"].text();
  if (root.has("command")) report.command = root["command"].texts();
  report.layers = root["layers"].list(layer);
  if (root.has("dumps")) report.dumps = root["dumps"].texts();
  if (root.has("producers")) report.producers = root["producers"].list(producer);
  if (root.has("gate")) report.gate = gate(root["gate"]);
  if (!report.producers.empty() && report.producers.size() != report.dumps.size()) root["producers"].refuse("one a dump");
  report.producers.resize(report.dumps.size());
  for (const LayerReport& l : report.layers) report.chained = report.chained || l.chained;
  return report;
}

}  // namespace lastbit
