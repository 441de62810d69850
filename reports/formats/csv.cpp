// csv.cpp: one line a layer, for spreadsheets and data frames (RFC 4180, comma, LF).
#include "reports/report.hpp"
#include "reports/words.hpp"

namespace lastbit::formats {
namespace {

// Quoted where a comma, a quote or a line break stands in it.
std::string field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

struct Column {
  const char* name;
  std::string (*value)(const LayerReport&);
};

std::string of(std::int64_t n) { return std::to_string(n); }

const std::vector<Column>& columns() {
  using L = const LayerReport&;
  static const std::vector<Column> all{
      {"dump", [](L l) { return l.dump; }},
      {"name", [](L l) { return l.name; }},
      {"op", [](L l) { return l.op; }},
      {"profile", [](L l) { return l.profile; }},
      {"verdict", [](L l) { return std::string(name(l.verdict)); }},
      {"elements", [](L l) { return of(l.elements); }},
      {"mismatches", [](L l) { return of(l.mismatches); }},
      {"max_lsb", [](L l) { return of(l.max_lsb); }},
      {"mean_lsb", [](L l) { return words::shortest(l.mean_lsb); }},
      {"cause", [](L l) { return words::leading_cause(l); }},
      {"unexplained", [](L l) { return of(l.unexplained); }},
      {"chained_mismatches", [](L l) { return l.chained ? of(l.chained->mismatches) : std::string(); }},
      {"inherited", [](L l) { return l.chained ? of(l.chained->inherited) : std::string(); }},
      {"tie", [](L l) { return of(l.events.tie); }},
      {"clamped", [](L l) { return of(l.events.clamped); }},
      {"saturated", [](L l) { return of(l.events.saturated); }},
      {"wrapped", [](L l) { return of(l.events.wrapped); }},
      {"pair_saturated", [](L l) { return of(l.events.pair_saturated); }},
      {"inexact_float", [](L l) { return of(l.events.inexact_float); }},
      {"undefined", [](L l) { return of(l.events.undefined); }},
      {"acc_min", [](L l) { return of(l.accumulator.min); }},
      {"acc_max", [](L l) { return of(l.accumulator.max); }},
      {"acc_bits", [](L l) { return of(l.accumulator.bits); }},
      {"acc_worst_case_bits", [](L l) { return of(l.accumulator.worst_case_bits); }},
      {"exact_max_error_lsb", [](L l) { return words::shortest(l.exact.max_error_lsb); }},
      {"exact_mean_error_lsb", [](L l) { return words::shortest(l.exact.mean_error_lsb); }},
      {"exact_ties", [](L l) { return of(l.exact.ties); }},
      {"not_correctly_rounded", [](L l) { return of(l.exact.not_correctly_rounded); }},
      {"float_mismatches", [](L l) { return of(l.float_form.mismatches); }},
      {"float_max_lsb", [](L l) { return of(l.float_form.max_lsb); }},
      {"sqnr_db", [](L l) { return words::shortest(l.sqnr_db); }},
      {"cosine", [](L l) { return words::shortest(l.cosine); }},
      {"reason", [](L l) { return l.reason; }},
  };
  return all;
}

std::string render(const Report& report, const FormatOptions&) {
  std::string out;
  for (const Column& c : columns()) out += (out.empty() ? "" : ",") + std::string(c.name);
  out += "\n";
  for (const LayerReport& layer : report.layers) {
    std::string row;
    for (const Column& c : columns()) row += (&c == &columns().front() ? "" : ",") + field(c.value(layer));
    out += row + "\n";
  }
  return out;
}

}  // namespace

Format csv() { return {"csv", "for spreadsheets: one line a layer", render}; }

}  // namespace lastbit::formats
