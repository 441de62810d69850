// words.cpp: numbers and sentences as all formats write them.
#include "reports/words.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include "lib/error.hpp"

namespace lastbit::words {

std::string shortest(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  char text[64];
  const auto end = std::to_chars(text, text + sizeof text, value);
  return std::string(text, end.ptr);
}

std::string fixed(double value, int decimals) {
  if (!std::isfinite(value)) return shortest(value);
  char text[400];
  const auto end = std::to_chars(text, text + sizeof text, value, std::chars_format::fixed, decimals);
  ensure(end.ec == std::errc(), "a fixed number longer than its buffer");
  return std::string(text, end.ptr);
}

std::string canonical(const std::string& text) {
  const bool cut = text.size() > 3 && text.compare(text.size() - 3, 3, "...") == 0;
  const char* end = text.data() + text.size() - (cut ? 3 : 0);
  std::int64_t whole = 0;
  if (const auto read = std::from_chars(text.data(), end, whole); read.ec == std::errc() && read.ptr == end) return std::string(text.data(), end);
  double real = 0;
  if (const auto read = std::from_chars(text.data(), end, real); read.ec == std::errc() && read.ptr == end) return shortest(real);
  return text;
}

std::string with_sign(std::int64_t value) { return (value > 0 ? "+" : "") + std::to_string(value); }

std::string count(std::int64_t n, std::string_view one, std::string_view many) {
  const std::string plural = many.empty() ? std::string(one) + "s" : std::string(many);
  return std::to_string(n) + " " + (n == 1 ? std::string(one) : plural);
}

std::string index(const std::vector<std::int64_t>& values) {
  std::string text;
  for (const std::int64_t value : values) text += (text.empty() ? "" : ",") + std::to_string(value);
  return text;
}

std::string join(const std::vector<std::string>& parts, std::string_view between) {
  std::string text;
  for (std::size_t i = 0; i < parts.size(); ++i) text += (i ? std::string(between) : "") + parts[i];
  return text;
}

std::string shell(const std::vector<std::string>& arguments) {
  std::string line;
  for (const std::string& argument : arguments) {
    const bool plain = !argument.empty() && std::all_of(argument.begin(), argument.end(), [](unsigned char c) {
      return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || std::strchr("_-./:=@,+%", c) != nullptr;
    });
    std::string word = argument;
    if (!plain) {
      word = "'";
      for (const char c : argument) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
      word += "'";
    }
    line += (line.empty() ? "" : " ") + word;
  }
  return line;
}

std::string printable(std::string text) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  return text;
}

Report printable(Report report) {
  const auto clean = [](std::string& text) { text = printable(std::move(text)); };
  const auto clean_all = [&](std::vector<std::string>& texts) { std::for_each(texts.begin(), texts.end(), clean); };
  clean(report.version);
  clean_all(report.command);
  clean_all(report.dumps);
  if (report.gate) {
    clean_all(report.gate->notes);
    for (GateFinding& f : report.gate->findings)
      for (std::string* text : {&f.rule, &f.dump, &f.layer, &f.sentence}) clean(*text);
  }
  for (LayerReport& l : report.layers) {
    for (std::string* text : {&l.dump, &l.name, &l.op, &l.profile, &l.reason, &l.command}) clean(*text);
    clean_all(l.notes);
    clean_all(l.rules_out);
    clean_all(l.cannot_rule_out);
    for (auto* causes : {&l.causes, &l.near_misses})
      for (CauseFound& c : *causes) {
        for (std::string* text : {&c.name, &c.sentence, &c.next}) clean(*text);
        clean_all(c.group);
      }
    for (auto* elements : {&l.worst, &l.first})
      for (WorstElement& e : *elements) {
        for (std::string* text : {&e.expected, &e.observed, &e.exact}) *text = canonical(*text);
        for (std::string* text : {&e.output, &e.expected, &e.observed, &e.exact, &e.events}) clean(*text);
      }
  }
  return report;
}

std::string verdict_sentence(const Report& report) {
  std::int64_t different = 0, blind = 0, own = 0, chained = 0, open = 0;
  for (const LayerReport& layer : report.layers) {
    different += differs(layer);
    blind += layer.verdict == Verdict::not_checked;
    own += layer.mismatches;
    open += layer.events.undefined;
    if (layer.chained) chained += layer.chained->mismatches;
  }
  const auto layers = static_cast<std::int64_t>(report.layers.size());
  const std::string elements = count(report.elements(), "element");
  switch (report.verdict()) {
    case Verdict::different:
      return "different: " + std::to_string(different) + " of " + count(layers, "layer") + ", " + std::to_string(own) + " of " + elements +
             (chained ? " (" + std::to_string(chained) + " chained)" : "");
    case Verdict::not_checked:
      if (report.elements() == 0) return "not_checked: nothing was compared (" + count(layers, "layer") + ")";
      return "not_checked: " + std::to_string(blind) + " of " + count(layers, "layer") + "; the rest is identical in " + elements;
    default: return "identical: " + count(layers, "layer") + ", " + elements + ", no bit differs" + (open ? "; " + std::to_string(open) + " of them undefined" : "");
  }
}

std::string gate_sentence(const Report& report) {
  const GateOutcome& gate = *report.gate;
  if (gate.passed())
    return "gate passed: " + count(static_cast<std::int64_t>(report.layers.size()), "layer") + ", " + count(report.elements(), "element");
  const auto more = static_cast<std::int64_t>(gate.findings.size()) - 1;
  return "gate failed: " + gate.findings.front().sentence + (more ? " (and " + count(more, "more finding") + ")" : "");
}

std::int64_t largest_error(const LayerReport& layer) {
  return layer.mismatches == 0 && layer.chained ? layer.chained->max_lsb : layer.max_lsb;
}

std::string divergence_sentence(const LayerReport& layer) {
  const bool inherited = layer.mismatches == 0 && layer.chained && layer.chained->mismatches > 0;
  const std::int64_t mismatches = inherited ? layer.chained->mismatches : layer.mismatches;
  return layer.name + " (" + layer.op + (layer.profile.empty() ? "" : ", " + layer.profile) + "): " + std::to_string(mismatches) + " of " +
         count(layer.elements, "element") + (mismatches == 1 ? " differs" : " differ") + (inherited ? " when chained" : "") + ", max " +
         std::to_string(largest_error(layer)) + " LSB";
}

std::string leading_cause(const LayerReport& layer) {
  const auto most = std::max_element(layer.causes.begin(), layer.causes.end(),
                                     [](const CauseFound& a, const CauseFound& b) { return a.explains < b.explains; });
  if (most != layer.causes.end()) return most->name;
  return layer.mismatches > 0 ? "unexplained" : differs(layer) ? "inherited" : "";
}

std::string unexplained_sentence(const LayerReport& layer) {
  if (layer.unexplained == 0) return "";
  return "unexplained: " + std::to_string(layer.unexplained) + " of " + count(layer.mismatches, "mismatch", "mismatches") +
         "; no known rule change gives the observed values";
}

}  // namespace lastbit::words
