// check.cpp: see check.hpp.
#include "golden/check.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "golden/folder.hpp"
#include "golden/matrix.hpp"
#include "golden/place.hpp"
#include "golden/writer.hpp"
#include "lib/error.hpp"
#include "verifier/evaluate.hpp"

namespace lastbit {
namespace {

std::string text_of(double v, bool floats) { return floats ? shortest(static_cast<float>(v)) : std::to_string(static_cast<std::int64_t>(v)); }

/// What went in: the accumulator and what scales it, the codes, or nothing that fits a line.
std::vector<std::string> inputs_of(const SuiteRead& suite, std::size_t k, const Cell& cell, const std::vector<std::int64_t>& elements) {
  Vectors one;
  one.cases = {suite.cases[k]};
  one.cells = {cell};
  one.events = {{}};
  const auto rows = line_rows(one);
  std::vector<std::string> all;
  for (const auto i : elements) {
    std::string s;
    const Layer& layer = suite.cases[k];
    if (!rows.empty()) {
      s = "acc " + std::to_string(rows[static_cast<std::size_t>(i)].acc) + "  " + to_line(rows[static_cast<std::size_t>(i)]);
    } else if (elementwise(layer)) {
      for (const auto& [port, t] : layer.inputs) s += (s.empty() ? "" : " ") + port + " " + (is_float(t.dtype) ? shortest(static_cast<float>(t.value(i))) : std::to_string(t.integer(i)));
    }
    all.push_back(s);
  }
  return all;
}

/// Rules that reproduce what was observed at every element of every case: simple ones first.
void find_causes(const SuiteRead& suite, const std::vector<Layer>& observed, const std::vector<std::int64_t>& errors, GoldenCheck& r) {
  const bool alike = std::all_of(observed.begin(), observed.end(), [&](const Layer& l) { return l.op == observed[0].op; });
  std::vector<const RuleValues*> right;
  AllRules rules;
  Workshop w;
  w.op = find_operator(observed[0].op);
  const auto choice = ProfileChoice::parse(suite.label);
  w.profile = &find_profile(choice.name);
  w.isa = choice.isa.empty() ? observed[0].producer.at("isa") : choice.isa;
  w.producer = observed[0].producer;
  if (alike) {
    rules = all_rules(w, observed, true);
    for (const auto& rule : rules.rules) {
      bool all = true;
      for (std::size_t k = 0; k < observed.size() && all; ++k) {
        const Values& v = rule.cases[k].empty() ? rules.expected[k] : rule.cases[k];
        const Tensor& t = observed[k].out(main_output(observed[k]));
        for (std::int64_t i = 0; i < t.size() && all; ++i) all = same_value(v[static_cast<std::size_t>(i)], t.value(i));
      }
      if (all) right.push_back(&rule);
    }
  }
  if (!right.empty()) {
    std::stable_sort(right.begin(), right.end(), [](const RuleValues* a, const RuleValues* b) { return a->rank < b->rank; });
    GoldenCheck::Cause c{right[0]->name, right[0]->sentence, r.errors, {}};
    for (std::size_t i = 1; i < right.size(); ++i)
      if (right[i]->name != c.name && std::find(c.group.begin(), c.group.end(), right[i]->name) == c.group.end()) c.group.push_back(right[i]->name);
    for (const auto* rule : right)
      if (r.profile.empty() && rule->name.rfind("profile:", 0) == 0) r.profile = rule->name.substr(8);
    r.causes.push_back(std::move(c));
    return;
  }
  // No single rule: case by case, what explains most.
  const PassingFolder folder;
  write_cases(folder.path / "suite", suite.label, suite.producer, observed);
  const Dump dump = Dump::open(folder.path / "suite", false);
  for (std::size_t k = 0; k < observed.size(); ++k) {
    if (errors[k] == 0) continue;
    const LayerEntry& entry = dump.layers()[k];
    const Layer layer = bind_layer(dump, entry, w.isa);
    const Operator& op = *find_operator(entry.op);
    const Cell* cell = cell_for(*w.profile, op, layer);
    ensure(cell != nullptr, "a suite's layer lost its arithmetic");
    const Evaluated e = evaluate(layer, op, *cell);
    const std::string port = main_output(layer);
    LayerReport report;
    report.unexplained = e.compared.at(port).mismatches;
    const Case c(dump, entry, e.layer, op, *w.profile, *cell, e.result.outputs.at(port), port, e.compared.at(port));
    attribute(c, report);
    r.unexplained += report.unexplained;
    for (const auto& f : report.causes) {
      const auto it = std::find_if(r.causes.begin(), r.causes.end(), [&](const GoldenCheck::Cause& known) { return known.name == f.name; });
      if (it == r.causes.end()) r.causes.push_back({f.name, f.sentence, f.explains, f.group});
      else it->explains += f.explains;
    }
  }
}

}  // namespace

GoldenCheck check_golden(const SuiteRead& suite, const Answers& o, std::int64_t most) {
  GoldenCheck r;
  if (suite.cases.empty()) return r;
  const auto observed = with_observed(suite, o);
  std::vector<std::int64_t> errors(observed.size());
  for (std::size_t k = 0; k < observed.size(); ++k) {
    const Layer& layer = observed[k];
    const Operator& op = *find_operator(layer.op);
    const auto choice = ProfileChoice::parse(suite.label);
    const Cell* cell = cell_for(find_profile(choice.name), op, layer);
    if (!cell) throw Error(layer.place, "found a layer that " + suite.label + " does not compute, expected one that it does");
    const std::string port = main_output(layer);
    Evaluated e = evaluate(layer, op, *cell);
    const Tensor& wanted = suite.cases[k].out(port);
    const Computed& y = e.result.outputs.at(port);
    if (const Comparison own = compare(y, wanted); own.mismatches) throw Error(suite.place + ": " + layer.name, "found " + std::to_string(own.mismatches) + " outputs that are not what " + suite.label + " gives, expected a suite as it was generated");
    const Comparison& c = e.compared.at(port);
    r.elements += c.elements, r.undefined += c.undefined, r.errors += c.mismatches, errors[k] = c.mismatches;
    std::vector<std::int64_t> shown;
    for (const auto i : c.differing) {
      if (most > 0 && static_cast<std::int64_t>(r.lines.size() + shown.size()) >= most) break;
      shown.push_back(i);
    }
    const auto inputs = inputs_of(suite, k, *cell, shown);
    const bool floats = is_float(wanted.dtype);
    for (std::size_t n = 0; n < shown.size(); ++n) {
      const auto i = shown[n];
      std::string at;
      for (const auto v : stored_index(wanted, i)) at += (at.empty() ? "" : ",") + std::to_string(v);
      const Events flags = static_cast<std::size_t>(i) < y.events.size() ? y.events[static_cast<std::size_t>(i)] : Events{0};
      r.lines.push_back(layer.name + " [" + at + "]  " + inputs[n] + "  => " + text_of(layer.out(port).value(i), floats) + "  expected " + text_of(wanted.value(i), floats) + "  " + event_flags(flags));
    }
    r.stopped = r.stopped || static_cast<std::int64_t>(shown.size()) < c.mismatches;
  }
  if (r.errors) find_causes(suite, observed, errors, r);
  return r;
}

std::string to_text(const GoldenCheck& c, const SuiteRead& suite) {
  std::string s;
  for (const auto& line : c.lines) s += line + "\n";
  if (c.stopped) s += "... stopped after " + std::to_string(c.lines.size()) + " of " + std::to_string(c.errors) + " errors (--errors N shows more)\n";
  if (c.elements == 0) return s + "nothing was compared\n";
  if (c.errors == 0) return s + "identical: " + std::to_string(c.elements) + " outputs are what " + suite.label + " gives" + (c.undefined ? ", " + std::to_string(c.undefined) + " of them within what it leaves open" : "") + "\n";
  s += "different: " + std::to_string(c.errors) + " of " + std::to_string(c.elements) + " outputs are not what " + suite.label + " gives\n";
  for (const auto& cause : c.causes) {
    s += "cause: " + cause.name + " explains " + std::to_string(cause.explains) + " of " + std::to_string(c.errors) + ". " + cause.sentence + "\n";
    if (!cause.group.empty()) {
      s += "  this suite cannot tell it from";
      for (std::size_t i = 0; i < cause.group.size() && i < 6; ++i) s += (i ? ", " : " ") + cause.group[i];
      s += (cause.group.size() > 6 ? ", and " + std::to_string(cause.group.size() - 6) + " more" : "") + "\n";
    }
  }
  if (!c.profile.empty()) s += "the device gives what the profile " + c.profile + " gives, at every output\n";
  if (c.unexplained) s += "unexplained: " + std::to_string(c.unexplained) + "\n";
  return s;
}

std::string to_json(const GoldenCheck& c, const SuiteRead& suite) {
  using Json = nlohmann::ordered_json;
  Json j{{"verdict", c.elements == 0 ? "not_checked" : c.errors ? "different" : "identical"}, {"suite", suite.place}, {"profile", suite.label}, {"elements", c.elements}, {"mismatches", c.errors}, {"undefined", c.undefined}, {"unexplained", c.unexplained}, {"as_profile", c.profile}, {"lines", c.lines}, {"causes", Json::array()}};
  for (const auto& cause : c.causes) j["causes"].push_back({{"name", cause.name}, {"explains", cause.explains}, {"of", c.errors}, {"sentence", cause.sentence}, {"group", cause.group}});
  return j.dump(1) + "\n";
}

}  // namespace lastbit
