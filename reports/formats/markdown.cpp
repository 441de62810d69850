// markdown.cpp: the report for a pull request or a job summary (GitHub's dialect). Only what differs or was not checked has a
// line of its own; a summary has a size limit, and a reader has one too.
#include "reports/report.hpp"
#include "reports/words.hpp"

namespace lastbit::formats {
namespace {

constexpr std::size_t listed_layers = 50, worst_elements = 5;

// Names come from models: "layer|1" and "<T>" must not become a table or HTML.
std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '<') out += "&lt;";
    else if (c == '&') out += "&amp;";
    else if (std::string("\\|`*_[]#~>").find(c) != std::string::npos) out += std::string("\\") + c;
    else out += c;
  }
  return out;
}

std::string row(const std::vector<std::string>& cells) { return "| " + words::join(cells, " | ") + " |\n"; }

std::string table(const Report& report) {
  std::string out;
  std::size_t listed = 0, left_out = 0;
  const bool several = report.dumps.size() > 1;
  for (const LayerReport& l : report.layers) {
    if (!differs(l) && l.verdict != Verdict::not_checked) continue;
    if (listed++ >= listed_layers) {
      ++left_out;
      continue;
    }
    std::vector<std::string> cells{escaped(several ? l.dump + " / " + l.name : l.name), escaped(l.op), std::to_string(l.elements), std::to_string(l.mismatches)};
    if (report.chained) cells.push_back(l.chained ? std::to_string(l.chained->mismatches) : "");
    cells.insert(cells.end(), {std::to_string(words::largest_error(l)), escaped(std::string(name(l.verdict))),
                               escaped(l.verdict == Verdict::not_checked ? l.reason : words::leading_cause(l))});
    out += row(cells);
  }
  if (out.empty()) return "";
  std::vector<std::string> head{"layer", "op", "elements", "mismatches"}, rule{"---", "---", "---:", "---:"};
  if (report.chained) head.push_back("chained"), rule.push_back("---:");
  head.insert(head.end(), {"max LSB", "verdict", "cause or reason"});
  rule.insert(rule.end(), {"---:", "---", "---"});
  out = "\n" + row(head) + row(rule) + out;
  if (left_out) out += "\n" + words::count(static_cast<std::int64_t>(left_out), "more layer") + " not listed.\n";
  return out;
}

std::string detail(const LayerReport& l) {
  std::string out = "\n### " + escaped(l.name) + "\n\n" + escaped(words::divergence_sentence(l)) + "\n";
  for (const CauseFound& c : l.causes)
    out += "\n- **" + escaped(c.name) + "** explains " + std::to_string(c.explains) + " of " + std::to_string(c.of) + ": " + escaped(c.sentence);
  if (!l.causes.empty()) out += "\n";
  if (l.unexplained) out += "\n" + escaped(words::unexplained_sentence(l)) + "\n";
  if (!l.worst.empty()) {
    out += "\n" + row({"index", "expected", "observed", "LSB", "accumulator", "exact"}) + row({"---", "---:", "---:", "---:", "---:", "---:"});
    for (std::size_t i = 0; i < std::min(worst_elements, l.worst.size()); ++i) {
      const WorstElement& e = l.worst[i];
      out += row({words::index(e.index), e.expected, e.observed, words::with_sign(e.lsb), e.acc ? std::to_string(*e.acc) : "", e.exact});
    }
  }
  if (!l.command.empty()) out += "\n```sh\n" + l.command + "\n```\n";
  return out;
}

std::string gate(const Report& report) {
  if (!report.gate) return "";
  const auto& findings = report.gate->findings;
  std::string out = std::string("## lastbit gate: ") + (report.gate->passed() ? "passed" : "failed") + "\n\n";
  for (std::size_t i = 0; i < std::min(listed_layers, findings.size()); ++i) out += "- " + escaped(findings[i].sentence) + "\n";
  if (findings.size() > listed_layers) out += "- " + words::count(static_cast<std::int64_t>(findings.size() - listed_layers), "more finding") + "\n";
  for (const std::string& note : report.gate->notes) out += "- note: " + escaped(note) + "\n";
  return out + "\n";
}

std::string render(const Report& given, const FormatOptions&) {
  const Report report = words::printable(given);
  const std::string sentence = words::verdict_sentence(report);
  const std::size_t colon = sentence.find(':');
  std::string out = gate(report);
  out += "## lastbit: " + escaped(sentence.substr(0, colon)) + "\n\n" + escaped(sentence.substr(colon + 2)) + "\n";
  const LayerReport* first = report.first_divergence();
  if (first) out += "\n**First divergence:** " + escaped(words::divergence_sentence(*first)) + "\n";
  out += table(report);
  if (first) out += detail(*first);
  return out;
}

}  // namespace

Format markdown() { return {"markdown", "for pull requests and $GITHUB_STEP_SUMMARY", render}; }

}  // namespace lastbit::formats
