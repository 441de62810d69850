// json_schema.cpp: see json_schema.hpp. One function a keyword would be more lines than the keywords have.
#include "lib/dump/json_schema.hpp"

#include <algorithm>

#include "lib/dump/words.hpp"

namespace lastbit {
namespace {

bool has_type(const Json& j, const std::string& type) {
  if (type == "object") return j.is_object();
  if (type == "array") return j.is_array();
  if (type == "string") return j.is_string();
  if (type == "number") return j.is_number();
  if (type == "integer") return j.is_number_integer() || (j.is_number_float() && j.get<double>() == static_cast<double>(static_cast<std::int64_t>(std::clamp(j.get<double>(), -0x1p62, 0x1p62))));
  if (type == "boolean") return j.is_boolean();
  if (type == "null") return j.is_null();
  throw InternalError("a schema's type is not implemented: " + type);
}

class Check {
 public:
  Check(const Json& root, std::size_t most) : root_(root), most_(most) {}

  void operator()(const Json& j, const Json& schema, const std::string& path) {
    for (const auto& [keyword, value] : schema.items()) {
      if (found.size() >= most_) return;
      if (keyword == "$schema" || keyword == "title" || keyword == "description" || keyword == "$defs") continue;
      if (keyword == "$ref") (*this)(j, root_.at(Json::json_pointer(value.get<std::string>().substr(1))), path);  // "#/$defs/x"
      else if (keyword == "type") type(j, value, path);
      else if (keyword == "const") expect(j == value, path, j, value.dump());
      else if (keyword == "enum") expect(std::find(value.begin(), value.end(), j) != value.end(), path, j, "one of " + value.dump());
      else if (keyword == "minimum") expect(!j.is_number() || j >= value, path, j, "at least " + value.dump());
      else if (keyword == "minLength") expect(!j.is_string() || j.get_ref<const std::string&>().size() >= value.get<std::size_t>(), path, j, value.dump() + " characters or more");
      else if (keyword == "required") required(j, value, path);
      else if (keyword == "properties") properties(j, value, path);
      else if (keyword == "additionalProperties") additional(j, value, schema, path);
      else if (keyword == "items") items(j, value, path);
      else if (keyword == "anyOf") any_of(j, value, path);
      else throw InternalError("a schema's keyword is not implemented: " + keyword);
    }
  }
  std::vector<std::string> found;

 private:
  static std::string below(const std::string& path, const std::string& key) { return (path.empty() ? "" : path + "/") + one_line(key); }
  void expect(bool holds, const std::string& path, const Json& j, const std::string& expected) {
    if (!holds && found.size() < most_) found.push_back((path.empty() ? "" : path + ": ") + "found " + described(j) + ", expected " + expected);
  }
  void type(const Json& j, const Json& types, const std::string& path) {
    const Json list = types.is_array() ? types : Json::array({types});
    const bool holds = std::any_of(list.begin(), list.end(), [&](const Json& t) { return has_type(j, t); });
    expect(holds, path, j, "type " + list[0].get<std::string>());
  }
  void required(const Json& j, const Json& keys, const std::string& path) {
    if (!j.is_object()) return;
    for (const auto& key : keys)
      if (!j.contains(key.get<std::string>())) expect(false, path, j, "the key " + key.dump());
  }
  void properties(const Json& j, const Json& schemas, const std::string& path) {
    if (!j.is_object()) return;
    for (const auto& [key, schema] : schemas.items())
      if (const auto it = j.find(key); it != j.end()) (*this)(*it, schema, below(path, key));
  }
  void additional(const Json& j, const Json& rule, const Json& schema, const std::string& path) {
    if (!j.is_object()) return;
    for (const auto& [key, value] : j.items())
      if (!schema.contains("properties") || !schema.at("properties").contains(key)) (*this)(value, rule, below(path, key));
  }
  void items(const Json& j, const Json& schema, const std::string& path) {
    if (!j.is_array()) return;
    for (std::size_t i = 0; i < j.size(); ++i) (*this)(j[i], schema, below(path, std::to_string(i)));
  }
  /// When none holds: what is wrong by the choice of j's own type, else the choices' types.
  void any_of(const Json& j, const Json& choices, const std::string& path) {
    std::vector<std::string> nearest;
    for (const auto& choice : choices) {
      Check one(root_, most_);
      one(j, choice, path);
      if (one.found.empty()) return;
      if (nearest.empty() || (choice.contains("type") && has_type(j, choice.at("type")))) nearest = one.found;
    }
    for (const auto& complaint : nearest)
      if (found.size() < most_) found.push_back(complaint);
  }

  const Json& root_;
  std::size_t most_;
};

}  // namespace

std::vector<std::string> schema_complaints(const Json& instance, const Json& schema, std::size_t most) {
  Check check(schema, most);
  check(instance, schema, "");
  return check.found;
}

}  // namespace lastbit
