// overview.cpp: what stands above the layers of the HTML page.
#include <cmath>

#include "reports/html/parts.hpp"
#include "reports/words.hpp"

namespace lastbit::html {
namespace {

// Elements, of whom so many differ, as 0..1 on a logarithmic scale: one in a million is still seen.
double heat(std::int64_t mismatches, std::int64_t elements) {
  if (mismatches == 0 || elements == 0) return 0;
  return 0.5 + 0.5 * std::log1p(static_cast<double>(mismatches)) / std::log1p(static_cast<double>(elements));
}

std::string half(const char* kind, std::int64_t mismatches, std::int64_t elements) {
  return std::string("<i class=\"") + kind + "\" style=\"--heat:" + words::fixed(heat(mismatches, elements), 2) + "\"></i>";
}

std::string producer(const std::map<std::string, std::string>& fields) {
  std::vector<std::string> parts;
  for (const auto& [key, value] : fields) parts.push_back(key + " " + value);
  return words::join(parts, ", ");
}

/// The profile that judged every layer; empty when there are several.
std::string only_profile(const Report& report) {
  std::string only;
  for (const LayerReport& l : report.layers) {
    if (l.profile.empty()) continue;
    if (!only.empty() && l.profile != only) return "";
    only = l.profile;
  }
  return only;
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '&': out += "&amp;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
  return out;
}

std::string element(const std::string& tag, std::string_view text) { return "<" + tag + ">" + escaped(text) + "</" + tag + ">"; }

std::string head(const Report& report) {
  const std::string sentence = words::verdict_sentence(report);
  const std::size_t colon = sentence.find(':');
  const std::string verdict(name(report.verdict()));
  std::string out = "<header class=\"" + verdict + "\">\n<h1><span class=\"badge " + verdict + "\">" + escaped(sentence.substr(0, colon)) + "</span>" +
                    escaped(sentence.substr(colon + 1)) + "</h1>\n";
  if (report.gate) {
    out += "<p><span class=\"badge " + std::string(report.gate->passed() ? "identical\">gate passed" : "different\">gate failed") + "</span></p>\n<ul>";
    for (const GateFinding& f : report.gate->findings) out += element("li", f.sentence);
    for (const std::string& note : report.gate->notes) out += element("li", "note: " + note);
    out += "</ul>\n";
  }
  if (const LayerReport* first = report.first_divergence()) {
    const auto i = static_cast<std::size_t>(first - report.layers.data());
    out += "<p>First divergence: <a href=\"#layer-" + std::to_string(i) + "\">" + escaped(words::divergence_sentence(*first)) + "</a></p>\n";
    for (const CauseFound& c : first->causes) out += "<p><b>" + escaped(c.name) + "</b>: " + escaped(c.sentence) + "</p>\n";
    if (first->causes.empty() && first->unexplained) out += element("p", words::unexplained_sentence(*first)) + "\n";
    if (!first->worst.empty()) {
      const WorstElement& e = first->worst.front();
      out += "<p>Worst element: [" + words::index(e.index) + "] expected <b>" + escaped(e.expected) + "</b>, observed <b>" + escaped(e.observed) + "</b>" +
             (e.exact.empty() ? "" : ", exactly " + escaped(e.exact)) + (e.acc ? ", accumulator " + std::to_string(*e.acc) : "") + "</p>\n";
    }
  }
  out += "<dl>";
  for (std::size_t i = 0; i < report.dumps.size(); ++i)
    out += element("dt", "dump") + element("dd", report.dumps[i] + (i < report.producers.size() ? " (" + producer(report.producers[i]) + ")" : ""));
  if (const std::string profile = only_profile(report); !profile.empty()) out += element("dt", "profile") + element("dd", profile);
  if (!report.command.empty()) out += element("dt", "repeat") + "<dd><code>" + escaped("lastbit " + words::shell(report.command)) + "</code></dd>";
  return out + element("dt", "made by") + element("dd", report.tool + " " + report.version) + "</dl>\n</header>\n";
}

std::string strip(const Report& report) {
  std::string out = "<section id=\"network\">\n<h2>Network</h2>\n<p class=\"note\">One cell a layer, in order: errors of its own above";
  out += report.chained ? ", with inherited ones below" : "";
  out += "; stronger where more elements differ, hatched where it was not checked. A click shows the layer.</p>\n<nav class=\"strip\">\n";
  for (std::size_t i = 0; i < report.layers.size(); ++i) {
    const LayerReport& l = report.layers[i];
    const std::string title = l.verdict == Verdict::not_checked ? l.name + " (" + l.op + "): not checked, " + l.reason
                              : differs(l)                      ? words::divergence_sentence(l)
                                                                : l.name + " (" + l.op + "): " + std::string(name(l.verdict));
    out += "<a class=\"" + std::string(name(l.verdict)) + "\" href=\"#layer-" + std::to_string(i) + "\" title=\"" + escaped(title) + "\" aria-label=\"" +
           escaped(title) + "\">" + half("own", l.mismatches, l.elements) +
           (report.chained ? half("chained", l.chained ? l.chained->mismatches : 0, l.elements) : "") + "</a>";
  }
  return out + "\n</nav>\n<div class=\"plot wide\" id=\"network-plot\"></div>\n</section>\n";
}

std::string table(const Report& report) {
  std::string out =
      "<section id=\"layers\">\n<h2>Layers</h2>\n"
      "<p class=\"controls js\"><input id=\"filter\" type=\"search\" placeholder=\"name, operator, profile, cause\" aria-label=\"filter layers\"> "
      "<select id=\"verdict\" aria-label=\"verdict\"><option value=\"\">every verdict</option><option>different</option><option>identical</option>"
      "<option>not_checked</option><option>undefined_only</option></select> <span id=\"shown\"></span></p>\n<div class=\"scroll tall\"><table id=\"table\">\n<thead><tr>";
  const bool profiles = only_profile(report).empty();
  for (const char* title : {"#", "layer", "op", "profile"})
    if (profiles || std::string_view(title) != "profile") out += std::string("<th scope=\"col\"") + (std::string_view(title) == "#" ? " class=\"n\">" : ">") + title + "</th>";
  for (const char* title : {"elements", "mismatches"}) out += std::string("<th scope=\"col\" class=\"n\">") + title + "</th>";
  if (report.chained) out += "<th scope=\"col\" class=\"n\">chained</th>";
  for (const char* title : {"max LSB", "mean LSB"}) out += std::string("<th scope=\"col\" class=\"n\">") + title + "</th>";
  out += "<th scope=\"col\">verdict</th><th scope=\"col\">cause or reason</th></tr></thead>\n<tbody>\n";
  for (std::size_t i = 0; i < report.layers.size(); ++i) {
    const LayerReport& l = report.layers[i];
    const std::string row = std::to_string(i);
    out += "<tr data-layer=\"" + row + "\"><td class=\"n\">" + std::to_string(i + 1) + "</td><td><a href=\"#layer-" + row + "\">" + escaped(l.name) + "</a>" +
           (report.dumps.size() > 1 ? " <small>" + escaped(l.dump) + "</small>" : "") + "</td>" + element("td", l.op) + (profiles ? element("td", l.profile) : "");
    const auto number = [](const std::string& text) { return "<td class=\"n\">" + text + "</td>"; };
    out += number(std::to_string(l.elements)) + number(std::to_string(l.mismatches));
    if (report.chained) out += number(l.chained ? std::to_string(l.chained->mismatches) : "");
    out += number(std::to_string(words::largest_error(l))) + number(words::shortest(l.mean_lsb));
    out += "<td><span class=\"badge " + std::string(name(l.verdict)) + "\">" + std::string(name(l.verdict)) + "</span></td>" +
           element("td", l.verdict == Verdict::not_checked ? l.reason : words::leading_cause(l)) + "</tr>\n";
  }
  return out + "</tbody>\n</table></div>\n</section>\n";
}

}  // namespace lastbit::html
