// json.cpp: the report for programs; docs/schemas/report.schema.json describes it. Every number stands in every layer.
#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "reports/report.hpp"
#include "reports/words.hpp"

namespace lastbit::formats {
namespace {

using Json = nlohmann::ordered_json;

// JSON has no word for NaN and infinities: they become strings.
Json number(double value) { return value - value == 0 ? Json(value) : Json(words::shortest(value)); }

// A number as the engine printed it: an integer stays one, "-0" keeps its sign, nan and inf are strings.
Json number(const std::string& printed) {
  if (printed.empty()) return nullptr;
  const std::string text = words::canonical(printed);
  const char* end = text.data() + text.size();
  std::int64_t whole = 0;
  if (const auto read = std::from_chars(text.data(), end, whole); read.ec == std::errc() && read.ptr == end && text != "-0") return whole;
  double real = 0;
  if (const auto read = std::from_chars(text.data(), end, real); read.ec == std::errc() && read.ptr == end && real - real == 0) return real;
  return text;
}

// An object of these fields, as one writes {{key, value}, ...}. What stands in such a list is constant, and a value would be copied with all in it.
struct Field {
  const char* key;
  mutable Json value;
};
void add(Json& j, std::initializer_list<Field> list) {
  auto& object = j.get_ref<Json::object_t&>();
  object.reserve(object.size() + list.size());
  for (const Field& field : list) object.emplace_back(field.key, std::move(field.value));
}
Json fields(std::initializer_list<Field> list) {
  Json j = Json::object();
  add(j, list);
  return j;
}

Json element(const WorstElement& e) {
  Json j = fields({{"index", e.index}, {"expected", number(e.expected)}, {"observed", number(e.observed)}, {"acc", nullptr}, {"exact", number(e.exact)},
                   {"lsb", e.lsb}, {"output", e.output}, {"events", e.events}});
  if (e.acc) j["acc"] = *e.acc;
  if (!e.explain.empty()) j["explain"] = e.explain;
  return j;
}

Json elements(const std::vector<WorstElement>& all) {
  Json list = Json::array();
  for (const WorstElement& e : all) list.push_back(element(e));
  return list;
}

Json causes(const std::vector<CauseFound>& all) {
  Json list = Json::array();
  for (const CauseFound& c : all)
    list.push_back(fields({{"name", c.name}, {"explains", c.explains}, {"of", c.of}, {"sentence", c.sentence}, {"next", c.next}, {"group", c.group},
                           {"deciding", c.deciding}}));
  return list;
}

Json histogram(const std::map<std::int64_t, std::int64_t>& bins) {
  Json object = Json::object();
  for (const auto& [lsb, n] : bins) object[std::to_string(lsb)] = n;
  return object;
}

// What stands only where it was asked for.
void add_optional(Json& j, const LayerReport& l) {
  if (l.pairs) j["pairs"] = {{"possible", l.pairs->possible}, {"channels", l.pairs->channels}, {"observed", l.pairs->observed}};
  if (l.error_map)
    j["error_map"] = {{"channels", l.error_map->channels}, {"positions", l.error_map->positions}, {"rows", l.error_map->rows},
                      {"columns", l.error_map->columns}, {"values", l.error_map->values}};
  if (l.timing) {
    j["time_ms"] = number(l.timing->time_ms);
    j["load_ms"] = number(l.timing->load_ms);
    j["pack_ms"] = number(l.timing->pack_ms);
    j["gops"] = number(l.timing->gops);
    j["kernel"] = l.timing->kernel;
  }
}

Json layer(const LayerReport& l, bool chained) {
  Json j = fields({{"dump", l.dump}, {"name", l.name}, {"op", l.op}, {"profile", l.profile}, {"position", l.position}, {"elements", l.elements}, {"mismatches", l.mismatches},
         {"max_lsb", l.max_lsb}, {"mean_lsb", number(l.mean_lsb)}, {"verdict", name(l.verdict)}, {"reason", l.reason},
         {"histogram", histogram(l.histogram)}, {"causes", causes(l.causes)}, {"near_misses", causes(l.near_misses)}, {"unexplained", l.unexplained},
         {"events", fields({{"tie", l.events.tie}, {"clamped", l.events.clamped}, {"saturated", l.events.saturated}, {"wrapped", l.events.wrapped},
                            {"pair_saturated", l.events.pair_saturated}, {"inexact_float", l.events.inexact_float}, {"undefined", l.events.undefined}})}});
  if (chained || l.chained) {
    const ChainedSummary c = l.chained.value_or(ChainedSummary{});
    add(j, {{"chained", fields({{"mismatches", c.mismatches}, {"max_lsb", c.max_lsb}, {"inherited", c.inherited}})}});
  }
  const AccumulatorSummary& a = l.accumulator;
  add(j, {{"accumulator", fields({{"min", a.min}, {"max", a.max}, {"bits", a.bits}, {"worst_case_min", a.worst_case_min}, {"worst_case_max", a.worst_case_max},
                                  {"worst_case_bits", a.worst_case_bits}})},
          {"exact", fields({{"max_error_lsb", number(l.exact.max_error_lsb)}, {"mean_error_lsb", number(l.exact.mean_error_lsb)}, {"ties", l.exact.ties},
                            {"not_correctly_rounded", l.exact.not_correctly_rounded}, {"histogram", l.exact.histogram}})},
          {"float", fields({{"mismatches", l.float_form.mismatches}, {"max_lsb", l.float_form.max_lsb},
                            {"float64_mismatches", l.float_form.float64_mismatches}, {"float64_max_lsb", l.float_form.float64_max_lsb}})},
          {"sqnr_db", number(l.sqnr_db)}, {"cosine", number(l.cosine)},
          {"evidence", fields({{"rules_out", l.rules_out}, {"cannot_rule_out", l.cannot_rule_out}})},
          {"worst", elements(l.worst)}, {"first", elements(l.first)}, {"notes", l.notes}, {"command", l.command}});
  add_optional(j, l);
  return j;
}

// No more than the length of j on one line; stops counting above `enough`.
std::size_t at_least(const Json& j, std::size_t enough) {
  if (j.is_string()) return j.get_ref<const std::string&>().size() + 2;
  if (!j.is_structured()) return 1;
  std::size_t n = j.empty() ? 2 : 1;  // the brackets, one of them with the commas
  for (auto it = j.begin(); it != j.end() && n <= enough; ++it) n += 1 + (j.is_object() ? it.key().size() + 3 : 0) + at_least(*it, enough);
  return n;
}

// What needs no escape is copied: the library sets up a serializer for every value.
void write_text(const std::string& s, std::string& out) {
  const bool plain = std::all_of(s.begin(), s.end(), [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; });
  if (plain) out.append(1, '"').append(s).append(1, '"');
  else out += Json(s).dump(-1, ' ', false, Json::error_handler_t::replace);
}

// j on one line.
void write_flat(const Json& j, std::string& out) {
  char digits[64];
  if (j.is_number_float()) {  // finite, see number(): as the library writes it
    out.append(digits, nlohmann::detail::to_chars(digits, digits + sizeof digits, j.get<double>()));
  } else if (j.is_number_unsigned()) {
    out.append(digits, std::to_chars(digits, digits + sizeof digits, j.get<std::uint64_t>()).ptr);
  } else if (j.is_number_integer()) {
    out.append(digits, std::to_chars(digits, digits + sizeof digits, j.get<std::int64_t>()).ptr);
  } else if (j.is_string()) {
    write_text(j.get_ref<const std::string&>(), out);
  } else if (j.is_structured()) {
    out += j.is_object() ? '{' : '[';
    const char* between = "";
    for (auto it = j.begin(); it != j.end(); ++it, between = ",") {
      out += between;
      if (j.is_object()) write_text(it.key(), out), out += ':';
      write_flat(*it, out);
    }
    out += j.is_object() ? '}' : ']';
  } else {
    out += j.dump();
  }
}

// Indented, but a list of plain values and what fits on a line stay on it: an index is not five lines. Text that is not UTF-8 (a name from a hostile
// dump) has its bad bytes replaced rather than refused.
void write(const Json& j, std::size_t depth, std::string& out) {
  const bool plain = !j.is_structured() || j.empty() || (j.is_array() && std::none_of(j.begin(), j.end(), [](const Json& value) { return value.is_structured(); }));
  if (plain || at_least(j, 120) + 2 * depth <= 120) {
    const std::size_t before = out.size();
    write_flat(j, out);
    if (plain || out.size() - before + 2 * depth <= 120) return;
    out.resize(before);
  }
  const std::string indent(2 * depth + 2, ' ');
  const char* between = "";
  out += j.is_object() ? "{" : "[";
  for (auto it = j.begin(); it != j.end(); ++it, between = ",") {
    out += between + ("\n" + indent);
    if (j.is_object()) write_text(it.key(), out), out += ": ";
    write(*it, depth + 1, out);
  }
  out += "\n" + std::string(2 * depth, ' ') + (j.is_object() ? "}" : "]");
}

std::string render(const Report& report, const FormatOptions&) {
  Json j{{"tool", {{"name", report.tool}, {"version", report.version}}}, {"verdict", name(report.verdict())}, {"first_divergence", nullptr},
         {"command", report.command}, {"dumps", report.dumps}, {"producers", report.producers}, {"layers", Json::array()}};
  if (const LayerReport* first = report.first_divergence()) j["first_divergence"] = first->name;
  if (report.gate) {
    Json findings = Json::array();
    for (const GateFinding& f : report.gate->findings) findings.push_back({{"rule", f.rule}, {"dump", f.dump}, {"layer", f.layer}, {"sentence", f.sentence}});
    j["gate"] = {{"passed", report.gate->passed()}, {"findings", findings}, {"notes", report.gate->notes}};
  }
  for (const LayerReport& l : report.layers) j["layers"].push_back(layer(l, report.chained));
  std::string out;
  write(j, 0, out);
  return out + "\n";
}

}  // namespace

Format json() { return {"json", "for programs; docs/schemas/report.schema.json", render}; }

}  // namespace lastbit::formats
