// json.cpp: a profile as JSON, both ways: the same fields as the struct.
#include <nlohmann/json.hpp>

#include "lib/error.hpp"
#include "lib/profile/profile.hpp"

namespace lastbit {

using Json = nlohmann::ordered_json;

std::string to_json(const Profile& p) {
  Json j;
  j["format"] = "lastbit-profile";
  j["version"] = 1;
  j["name"] = p.name;
  j["title"] = p.title;
  j["sources"] = p.sources;
  j["evidence"] = p.evidence;
  j["for_producer"] = p.for_producer;
  j["replaces"] = p.replaces;
  j["replaces_when"] = p.replaces_when;
  j["isas"] = p.isas;
  j["cells"] = Json::array();
  for (const auto& c : p.cells) {
    Json cell;
    cell["ops"] = c.ops;
    if (!c.when.empty()) cell["when"] = c.when;
    cell["rule"] = c.rule;
    if (!c.stages.empty()) cell["stages"] = c.stages;
    if (!c.with.empty()) cell["with"] = c.with;
    j["cells"].push_back(std::move(cell));
  }
  return j.dump(1) + "\n";
}

namespace {

const Json& field(const Json& j, const char* key, const std::string& place) {
  if (!j.contains(key)) throw Error(place, "found no \"" + std::string(key) + "\", expected one");
  return j.at(key);
}
std::string text(const Json& j, const std::string& place) {
  if (!j.is_string()) throw Error(place, "found " + std::string(j.type_name()) + ", expected a string");
  return j.get<std::string>();
}
std::vector<std::string> texts(const Json& j, const std::string& place) {
  if (!j.is_array()) throw Error(place, "found " + std::string(j.type_name()) + ", expected a list of strings");
  std::vector<std::string> v;
  for (const auto& e : j) v.push_back(text(e, place));
  return v;
}

}  // namespace

Profile profile_from_json(const std::string& source, const std::string& place) {
  const Json j = Json::parse(source, nullptr, false);
  if (j.is_discarded() || !j.is_object()) throw Error(place, "found text that is not a JSON object, expected a profile");
  if (j.value("format", Json()) != Json("lastbit-profile")) throw Error(place + ": format", "found another format, expected \"lastbit-profile\"");
  if (j.value("version", Json()) != Json(1)) throw Error(place + ": version", "found another version, expected 1");
  Profile p;
  p.name = text(field(j, "name", place), place + ": name");
  const auto optional = [&](const char* key) { return j.contains(key) ? text(j.at(key), place + ": " + key) : std::string(); };
  const auto optional_list = [&](const char* key) { return j.contains(key) ? texts(j.at(key), place + ": " + key) : std::vector<std::string>(); };
  p.title = optional("title");
  p.sources = optional_list("sources");
  p.evidence = optional("evidence");
  p.for_producer = optional_list("for_producer");
  p.replaces = optional("replaces");
  p.replaces_when = optional_list("replaces_when");
  p.isas = optional_list("isas");
  const Json& cells = field(j, "cells", place);
  if (!cells.is_array()) throw Error(place + ": cells", "found " + std::string(cells.type_name()) + ", expected a list");
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const std::string at = place + ": cells[" + std::to_string(i) + "]";
    const Json& e = cells[i];
    if (!e.is_object()) throw Error(at, "found " + std::string(e.type_name()) + ", expected an object");
    Cell c;
    c.ops = texts(field(e, "ops", at), at + ": ops");
    if (e.contains("when")) c.when = texts(e.at("when"), at + ": when");
    c.rule = text(field(e, "rule", at), at + ": rule");
    if (e.contains("stages")) c.stages = texts(e.at("stages"), at + ": stages");
    if (e.contains("with")) {
      if (!e.at("with").is_object()) throw Error(at + ": with", "found " + std::string(e.at("with").type_name()) + ", expected an object of strings");
      for (const auto& [key, value] : e.at("with").items()) c.with[key] = text(value, at + ": with." + key);
    }
    p.cells.push_back(std::move(c));
  }
  return p;
}

}  // namespace lastbit
