// suite_json.cpp: golden.json, what a suite says of itself. See writer.hpp and docs/golden.md.
#include <algorithm>
#include <cctype>
#include <map>
#include <nlohmann/json.hpp>

#include "golden/matrix.hpp"
#include "golden/writer.hpp"

namespace lastbit {

namespace {

/// What stands in the name is "#": "The accumulator has # bits" of accumulator:17-wrap, "rounded once, #." of round:half-even.
std::string general_sentence(const RuleSeen& r) {
  std::string detail = r.name.substr(std::min(r.name.find(':') + 1, r.name.size()));
  if (r.name.rfind("accumulator:", 0) == 0) detail = detail.substr(0, detail.find_first_not_of("0123456789"));
  std::string s = r.sentence;
  if (const auto at = s.find(" " + detail); at != std::string::npos && !detail.empty() && (at + 1 + detail.size() == s.size() || !std::isalnum(static_cast<unsigned char>(s[at + 1 + detail.size()])))) s.replace(at + 1, detail.size(), "#");
  return s;
}

}  // namespace

std::string suite_json(const Vectors& v) {
  using Json = nlohmann::ordered_json;
  Json j{{"format", "lastbit-golden"}, {"version", 2}, {"command", v.request.arguments()}, {"sha256", v.checksum},
         {"op", v.op->name}, {"profile", v.label}, {"suite", v.request.suite}, {"seed", v.request.seed}};
  Json cases = Json::array();
  std::int64_t from = 0;
  for (std::size_t k = 0; k < v.cases.size(); ++k) {
    const Tensor& y = v.cases[k].out(main_output(v.cases[k]));
    cases.push_back({{"name", v.cases[k].name}, {"output", main_output(v.cases[k])}, {"first_element", from}, {"elements", y.size()}});
    const Cell &cell = v.cells[k], &before = v.cells[k ? k - 1 : 0];
    if (k == 0 || cell.rule != before.rule || cell.with != before.with || cell.stages != before.stages) cases.back().update({{"rule", cell.rule}, {"with", cell.with}, {"stages", cell.stages}});  // else as the case before
    from += y.size();
  }
  j["cases"] = "?";
  Json reached = Json::object();
  for (const auto& r : v.reached) reached[r.what] = r.count;
  j["reached"] = std::move(reached);
  j["notes"] = v.notes;
  j["mistrusted"] = v.mistrusted;
  // A kind is a row: what it gives at the separating elements, at how many elements it differs from the profile, the first of them,
  // then its rules. Kind 0 is the profile's. A rule is its name, and the number of its sentence where several have the name.
  // Alike are, by the reason, whole kinds (a number), or of one kind the rules at some places (its number, then they; -1: the profile).
  Json kinds = Json::array(), alike = Json::array(), sentences = Json::array();
  std::map<std::string, std::size_t> known;
  std::map<std::string, int> named;
  for (const auto& r : v.matrix.rules) ++named[r.name];
  const Tensor& y = v.cases[0].out(main_output(v.cases[0]));
  const bool integers = !is_float(y.dtype);
  for (std::size_t k = 0; k < v.matrix.kinds.size(); ++k) {
    const RuleKind& kind = v.matrix.kinds[k];
    Json row = Json::array();
    if (integers) {
      std::string words;
      for (const double g : kind.gives) words += hexadecimal(static_cast<std::int64_t>(g), info(y.dtype).bits);
      row.push_back(words);
    } else {
      row.push_back(kind.gives);
    }
    row.push_back(k ? v.matrix.rules[kind.rules[0]].differs : 0), row.push_back(k ? v.matrix.rules[kind.rules[0]].first : -1);
    for (const auto r : kind.rules) {
      const RuleSeen& rule = v.matrix.rules[r];
      if (rule.rank >= 50 || named[rule.name] == 1) {
        row.push_back(rule.name);
        continue;
      }
      const auto [it, fresh] = known.emplace(general_sentence(rule), known.size());
      if (fresh) sentences.push_back(it->first);
      row.push_back(rule.name + " " + std::to_string(it->second));
    }
    kinds.push_back(std::move(row));
    for (const auto& agreement : kind.why) {
      Json of = Json::array({k});
      for (const auto r : agreement.rules) of.push_back(r == the_profile ? std::int64_t{-1} : static_cast<std::int64_t>(std::find(kind.rules.begin(), kind.rules.end(), r) - kind.rules.begin()));
      const bool whole = agreement.rules.size() == kind.rules.size() + (k == 0);
      auto it = std::find_if(alike.begin(), alike.end(), [&](const Json& other) { return other["why"] == agreement.reason; });
      if (it == alike.end()) alike.push_back({{"why", agreement.reason}, {"kinds", Json::array()}}), it = alike.end() - 1;
      (*it)["kinds"].push_back(whole ? Json(k) : of);
    }
  }
  Json not_tried = Json::array();
  std::vector<std::string> reasons;
  for (const auto& [name, why] : v.matrix.not_tried)
    if (std::find(reasons.begin(), reasons.end(), why) == reasons.end()) reasons.push_back(why);
  for (const auto& reason : reasons) {
    Json names = Json::array();
    for (const auto& [name, why] : v.matrix.not_tried)
      if (why == reason) names.push_back(name);
    not_tried.push_back({{"why", reason}, {"names", names}});
  }
  j["matrix"] = {{"told_apart", v.matrix.told()}, {"of", v.matrix.rules.size()}, {"separating", "?"}};
  std::string text = j.dump(1);
  std::string listed = "[";
  for (std::size_t k = 0; k < cases.size(); ++k) listed += (k ? ",\n  " : "\n  ") + cases[k].dump();
  text.replace(text.find("\"cases\": \"?\"") + 9, 3, listed + "]");
  text.resize(text.size() - 8);  // "\"?\"\n }\n}": the matrix goes on, one entry a line
  text += Json(v.matrix.separating).dump();
  const auto rows = [&](const char* key, const Json& list) {
    text += ",\n  \"" + std::string(key) + "\": [";
    for (std::size_t i = 0; i < list.size(); ++i) text += (i ? ",\n" : "\n") + list[i].dump();
    text += "]";
  };
  rows("kinds", kinds), rows("alike", alike), rows("sentences", sentences), rows("not_tried", not_tried);
  return text + "\n }\n}\n";
}

}  // namespace lastbit
