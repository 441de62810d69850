// layer.cpp: one layer of the HTML page: causes with their sentences, numbers, worst elements. page.js draws into "plots".
#include "reports/html/parts.hpp"
#include "reports/words.hpp"

namespace lastbit::html {
namespace {

using Rows = std::vector<std::pair<std::string, std::string>>;

std::string numbers(const std::string& title, const Rows& rows) {
  std::string out = std::string(rows.size() > 12 ? "<div class=\"long\">" : "<div>") + "<table class=\"numbers\"><caption>" + escaped(title) + "</caption>";
  for (const auto& [label, value] : rows) out += "<tr><th scope=\"row\">" + escaped(label) + "</th><td class=\"n\">" + escaped(value) + "</td></tr>";
  return out + "</table></div>\n";
}

std::string of(std::int64_t n) { return std::to_string(n); }

std::string causes(const LayerReport& l) {
  if (l.causes.empty() && l.unexplained == 0 && l.near_misses.empty()) return "";
  std::string out = "<ul class=\"causes\">\n";
  for (const CauseFound& c : l.causes) {
    out += "<li><b>" + escaped(c.name) + "</b> explains " + of(c.explains) + " of " + of(c.of) + ": " + escaped(c.sentence);
    if (!c.group.empty()) out += " (this layer cannot tell it from " + escaped(words::join(c.group, ", ")) + ")";
    if (!c.next.empty()) out += "<br><code>" + escaped(c.next) + "</code>";
    out += "</li>\n";
  }
  if (l.unexplained) out += "<li><b>" + escaped(words::unexplained_sentence(l)) + "</b></li>\n";
  for (const CauseFound& c : l.near_misses) out += "<li>near miss: " + escaped(c.name) + " explains " + of(c.explains) + " of " + of(c.of) + ": " + escaped(c.sentence) + "</li>\n";
  return out + "</ul>\n";
}

std::string all_numbers(const LayerReport& l) {
  std::string out = "<div class=\"tables\">\n";
  Rows errors;
  for (const auto& [lsb, n] : l.histogram) errors.push_back({words::with_sign(lsb) + " LSB", of(n)});
  if (!errors.empty()) out += numbers("Signed error", errors);
  const EventCounts& e = l.events;
  out += numbers("Events", {{"tie", of(e.tie)}, {"clamped", of(e.clamped)}, {"saturated", of(e.saturated)}, {"wrapped", of(e.wrapped)},
                            {"pair_saturated", of(e.pair_saturated)}, {"inexact_float", of(e.inexact_float)}, {"undefined", of(e.undefined)}});
  const AccumulatorSummary& a = l.accumulator;
  out += numbers("Accumulator", {{"observed", of(a.min) + " .. " + of(a.max)}, {"bits", of(a.bits)}, {"worst case", of(a.worst_case_min) + " .. " + of(a.worst_case_max)},
                                 {"bits in the worst case", of(a.worst_case_bits)}});
  out += numbers("Against the exact value", {{"largest error, LSB", words::shortest(l.exact.max_error_lsb)}, {"mean error, LSB", words::shortest(l.exact.mean_error_lsb)},
                                             {"exact ties", of(l.exact.ties)}, {"not correctly rounded", of(l.exact.not_correctly_rounded)}});
  out += numbers("Float form", {{"mismatches in float32", of(l.float_form.mismatches)}, {"max LSB in float32", of(l.float_form.max_lsb)},
                                {"mismatches in float64", of(l.float_form.float64_mismatches)}, {"max LSB in float64", of(l.float_form.float64_max_lsb)},
                                {"SQNR, dB", words::shortest(l.sqnr_db)}, {"cosine", words::shortest(l.cosine)}});
  if (l.chained)
    out += numbers("Chained", {{"mismatches", of(l.chained->mismatches)}, {"of them inherited", of(l.chained->inherited)}, {"max LSB", of(l.chained->max_lsb)}});
  if (l.timing)
    out += numbers("Time", {{"recomputed, ms", words::shortest(l.timing->time_ms)}, {"loaded, ms", words::shortest(l.timing->load_ms)},
                            {"packed, ms", words::shortest(l.timing->pack_ms)}, {"GOP/s", words::shortest(l.timing->gops)}, {"kernel", l.timing->kernel}});
  return out + "</div>\n";
}

std::string worst(const LayerReport& l) {
  if (l.worst.empty()) return "";
  std::string out = "<div class=\"scroll\"><table class=\"worst\"><caption>Worst elements</caption><thead><tr>";
  for (const char* title : {"index", "expected", "observed", "LSB", "accumulator", "exact", "events"}) out += element("th", title);
  out += "</tr></thead>\n<tbody>\n";
  for (const WorstElement& e : l.worst) {
    const std::string port = e.output.empty() || e.output == "y" ? "" : e.output + ": ";
    out += "<tr>" + element("td", port + words::index(e.index));
    for (const std::string& cell : {e.expected, e.observed, words::with_sign(e.lsb), e.acc ? of(*e.acc) : std::string(), e.exact})
      out += "<td class=\"n\">" + escaped(cell) + "</td>";
    out += "<td><code>" + escaped(e.events) + "</code></td></tr>\n";
    if (!e.explain.empty()) out += "<tr class=\"explain\"><td colspan=\"7\"><pre>" + escaped(e.explain) + "</pre></td></tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

}  // namespace

std::string layer(const LayerReport& l, std::size_t i, bool open) {
  const std::string verdict(name(l.verdict));
  std::string out = "<details class=\"layer" + std::string(differs(l) || l.verdict == Verdict::not_checked || open ? "" : " quiet") + "\" id=\"layer-" + std::to_string(i) + "\" data-layer=\"" + std::to_string(i) + "\"" + (open ? " open" : "") +
                    "><summary><span class=\"badge " + verdict + "\">" + verdict + "</span> <b>" + escaped(l.name) + "</b> " + escaped(l.op) + "</summary>\n";
  out += element("p", differs(l) ? words::divergence_sentence(l) : words::count(l.elements, "element") + (l.profile.empty() ? "" : ", " + l.profile)) + "\n";
  if (!l.reason.empty()) out += element("p", "Not checked: " + l.reason) + "\n";
  for (const std::string& note : l.notes) out += element("p", note) + "\n";
  out += causes(l);
  if (l.verdict != Verdict::not_checked) out += "<div class=\"plots\"></div>\n";
  out += worst(l);
  if (l.verdict != Verdict::not_checked) out += all_numbers(l);
  if (!l.rules_out.empty()) out += element("p", "Rules out: " + words::join(l.rules_out, ", ") + ".") + "\n";
  if (!l.cannot_rule_out.empty()) out += element("p", "Cannot rule out: " + words::join(l.cannot_rule_out, ", ") + ".") + "\n";
  if (!l.command.empty()) out += "<p>Repeat: <code>" + escaped(l.command) + "</code></p>\n";
  return out + "</details>\n";
}

}  // namespace lastbit::html
