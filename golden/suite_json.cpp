// suite_json.cpp: golden.json, what a suite says of itself. See writer.hpp and docs/golden.md.
#include <nlohmann/json.hpp>

#include "golden/matrix.hpp"
#include "golden/writer.hpp"

namespace lastbit {

std::string suite_json(const Vectors& v) {
  using Json = nlohmann::ordered_json;
  Json j{{"format", "lastbit-golden"}, {"version", 1}, {"command", v.request.arguments()}, {"sha256", v.checksum},
         {"op", v.op->name}, {"profile", v.label}, {"suite", v.request.suite}, {"seed", v.request.seed}};
  Json cases = Json::array();
  std::int64_t from = 0;
  for (std::size_t k = 0; k < v.cases.size(); ++k) {
    const Tensor& y = v.cases[k].out(main_output(v.cases[k]));
    cases.push_back({{"name", v.cases[k].name}, {"output", main_output(v.cases[k])}, {"first_element", from}, {"elements", y.size()}, {"rule", v.cells[k].rule}, {"with", v.cells[k].with}, {"stages", v.cells[k].stages}});
    from += y.size();
  }
  j["cases"] = std::move(cases);
  Json reached = Json::object();
  for (const auto& r : v.reached) reached[r.what] = r.count;
  j["reached"] = std::move(reached);
  j["notes"] = v.notes;
  j["mistrusted"] = v.mistrusted;
  // Rules of one kind give the same value at every element. deciding[a][b - a - 1]: the first element, counted over all cases,
  // at which kinds a < b differ; kind 0 is the profile's.
  Json rules = Json::array(), kinds = Json::array(), not_tried = Json::array();
  for (const auto& r : v.matrix.rules) {
    Json rule{{"name", r.name}, {"kind", r.kind}, {"differs", r.differs}, {"first", r.first < 0 ? Json() : Json(r.first)}};
    if (r.rank < 50) rule["sentence"] = r.sentence;
    rules.push_back(std::move(rule));
  }
  for (const auto& k : v.matrix.kinds) {
    Json names = Json::array();
    for (const auto r : k.rules) names.push_back(v.matrix.rules[r].name);
    Json kind{{"rules", names}};
    if (!k.why.empty()) kind["why"] = k.why;
    kinds.push_back(std::move(kind));
  }
  for (const auto& [name, why] : v.matrix.not_tried) not_tried.push_back({{"name", name}, {"why", why}});
  j["matrix"] = {{"told_apart", v.matrix.told()}, {"of", v.matrix.rules.size()}};
  std::string text = j.dump(1);
  text.resize(text.size() - 4);  // "\n }\n}": the matrix goes on, one entry a line
  const auto rows = [&](const char* key, const Json& list) {
    text += ",\n  \"" + std::string(key) + "\": [";
    for (std::size_t i = 0; i < list.size(); ++i) text += (i ? ",\n   " : "\n   ") + list[i].dump();
    text += "\n  ]";
  };
  rows("rules", rules), rows("kinds", kinds), rows("not_tried", not_tried);
  Json deciding = Json::array();
  for (std::size_t a = 0; a + 1 < v.matrix.deciding.size(); ++a) deciding.push_back(v.matrix.deciding[a]);
  rows("deciding", deciding);
  return text + "\n }\n}\n";
}

}  // namespace lastbit
