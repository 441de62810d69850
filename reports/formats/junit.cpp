// junit.cpp: the report as the JUnit XML that Jenkins, GitLab and others read: a suite a dump, a case a layer. A layer that was not
// checked is "skipped". Attributes and their order are those of Jenkins's xunit schema (junit-10.xsd); it has no clock.
#include <algorithm>
#include <pugixml.hpp>
#include <sstream>

#include "reports/report.hpp"
#include "reports/words.hpp"

namespace lastbit::formats {
namespace {

struct Counts {
  std::int64_t tests = 0, failures = 0, skipped = 0;
};

Counts count(const Report& report, const std::string* dump) {
  Counts n;
  for (const LayerReport& l : report.layers) {
    if (dump && l.dump != *dump) continue;
    ++n.tests;
    n.failures += fails(report, l);
    n.skipped += !fails(report, l) && l.verdict == Verdict::not_checked;
  }
  return n;
}

// The gate's sentences about a layer; with an empty name those about the whole.
std::string findings(const Report& report, const std::string& dump, const std::string& layer) {
  std::string out;
  if (report.gate)
    for (const GateFinding& f : report.gate->findings)
      if (f.layer == layer && (layer.empty() || f.dump == dump)) out += f.sentence + "\n";
  return out;
}

std::string body(const Report& report, const LayerReport& l) {
  std::string out = findings(report, l.dump, l.name);
  if (differs(l)) out += words::divergence_sentence(l) + "\n";
  for (const CauseFound& c : l.causes) out += c.name + " explains " + std::to_string(c.explains) + " of " + std::to_string(c.of) + ": " + c.sentence + "\n";
  if (l.unexplained) out += words::unexplained_sentence(l) + "\n";
  for (const WorstElement& e : l.worst)
    out += "[" + words::index(e.index) + "] expected " + e.expected + ", observed " + e.observed + " (" + words::with_sign(e.lsb) + " LSB)" +
           (e.acc ? ", accumulator " + std::to_string(*e.acc) : "") + (e.exact.empty() ? "" : ", exact " + e.exact) + "\n";
  return out + (l.command.empty() ? "" : "repeat: " + l.command + "\n");
}

void add_case(pugi::xml_node suite, const Report& report, const LayerReport& l) {
  pugi::xml_node test = suite.append_child("testcase");
  test.append_attribute("name") = l.name.c_str();
  test.append_attribute("classname") = l.dump.c_str();
  if (fails(report, l)) {
    pugi::xml_node failure = test.append_child("failure");
    const std::string cause = words::leading_cause(l);
    failure.append_attribute("type") = cause.empty() ? report.gate ? "gate" : "inherited" : cause.c_str();
    const std::string found = findings(report, l.dump, l.name);
    failure.append_attribute("message") = (found.empty() ? words::divergence_sentence(l) : found.substr(0, found.find('\n'))).c_str();
    failure.append_child(pugi::node_pcdata).set_value(body(report, l).c_str());
  } else if (l.verdict == Verdict::not_checked) {
    test.append_child("skipped").append_attribute("message") = l.reason.c_str();
  }
}

void add_counts(pugi::xml_node node, const Counts& n) {
  node.append_attribute("tests") = static_cast<long long>(n.tests);
  node.append_attribute("failures") = static_cast<long long>(n.failures);
  node.append_attribute("errors") = 0;
}

// What the gate says of no single layer is a case of its own.
void add_gate(pugi::xml_node all, const Report& report) {
  const std::string found = findings(report, "", "");
  pugi::xml_node suite = all.append_child("testsuite");
  suite.append_attribute("name") = "gate";
  add_counts(suite, {1, !found.empty(), 0});
  pugi::xml_node test = suite.append_child("testcase");
  test.append_attribute("name") = "baseline and policy";
  test.append_attribute("classname") = "gate";
  if (found.empty()) return;
  pugi::xml_node failure = test.append_child("failure");
  failure.append_attribute("type") = "gate";
  failure.append_attribute("message") = found.substr(0, found.find('\n')).c_str();
  failure.append_child(pugi::node_pcdata).set_value(found.c_str());
}

// Dumps in the order of the report, then those that only layers name.
std::vector<std::string> suites(const Report& report) {
  std::vector<std::string> names;
  for (const std::string& dump : report.dumps)
    if (std::find(names.begin(), names.end(), dump) == names.end()) names.push_back(dump);
  for (const LayerReport& l : report.layers)
    if (std::find(names.begin(), names.end(), l.dump) == names.end()) names.push_back(l.dump);
  return names;
}

std::string render(const Report& given, const FormatOptions&) {
  const Report report = words::printable(given);
  pugi::xml_document document;
  pugi::xml_node declaration = document.append_child(pugi::node_declaration);
  declaration.append_attribute("version") = "1.0";
  declaration.append_attribute("encoding") = "UTF-8";
  pugi::xml_node all = document.append_child("testsuites");
  all.append_attribute("name") = "lastbit";
  Counts total = count(report, nullptr);
  if (report.gate) total.tests += 1, total.failures += !findings(report, "", "").empty();
  add_counts(all, total);
  if (report.gate) add_gate(all, report);
  for (const std::string& dump : suites(report)) {
    const Counts n = count(report, &dump);
    pugi::xml_node suite = all.append_child("testsuite");
    suite.append_attribute("name") = dump.c_str();
    add_counts(suite, n);
    suite.append_attribute("skipped") = static_cast<long long>(n.skipped);
    for (const LayerReport& l : report.layers)
      if (l.dump == dump) add_case(suite, report, l);
  }
  std::ostringstream out;
  document.save(out, "  ", pugi::format_indent, pugi::encoding_utf8);
  return out.str();
}

}  // namespace

Format junit() { return {"junit", "for CI: a test suite a dump, a test case a layer", render}; }

}  // namespace lastbit::formats
