// json_place.hpp: JSON that may come from anywhere, read value by value; a refusal names the place: "FILE: layers[3].events.tie".
#pragma once
#include <algorithm>
#include <initializer_list>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "lib/error.hpp"
#include "reports/words.hpp"

namespace lastbit::reading {

using Json = nlohmann::json;

inline std::string shown(const Json& j) {
  const std::string text = j.dump(-1, ' ', true, Json::error_handler_t::replace);
  return text.size() <= 40 ? text : text.substr(0, 37) + "...";
}

// A place in the document: "FILE: layers[3].events.tie".
struct JsonPlace {
  const Json& json;
  std::string file, path;

  [[noreturn]] void refuse(const std::string& expected) const { throw Error(path.empty() ? file : file + ": " + path, "found " + shown(json) + ", expected " + expected); }
  JsonPlace inside(const Json& j, const std::string& step) const { return {j, file, path.empty() || step[0] == '[' ? path + step : path + "." + step}; }

  JsonPlace operator[](const char* key) const {
    if (!json.is_object()) refuse("an object");
    const auto it = json.find(key);
    if (it == json.end()) throw Error(file + ": " + inside(json, key).path, "found nothing, expected a value");
    return inside(*it, key);
  }
  /// Refuses keys that nobody reads: a misspelt limit must not become no limit.
  void only(std::initializer_list<std::string_view> keys) const {
    if (!json.is_object()) refuse("an object");
    std::string known;
    for (const std::string_view key : keys) known += (known.empty() ? "" : ", ") + std::string(key);
    for (const auto& [key, value] : json.items())
      if (std::find(keys.begin(), keys.end(), key) == keys.end()) throw Error(path.empty() ? file : file + ": " + path, "found the key \"" + key + "\", expected " + known);
  }
  bool has(const char* key) const { return json.is_object() && json.contains(key); }

  std::string text() const {
    if (!json.is_string()) refuse("a string");
    return json.get<std::string>();
  }
  std::int64_t integer() const {
    if (json.is_number_unsigned() && json.get<std::uint64_t>() > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
      refuse("an integer of 64 bits");
    if (!json.is_number_integer()) refuse("an integer");
    return json.get<std::int64_t>();
  }
  std::int64_t counted() const {
    if (!json.is_number_integer() || integer() < 0) refuse("an integer >= 0");
    if (integer() > std::int64_t{1} << 40) refuse("an integer of at most 2^40");  // sums over layers stay far from 2^63
    return integer();
  }
  int bits() const {
    if (counted() > 1024) refuse("a number of bits");
    return static_cast<int>(counted());
  }
  double number() const {
    if (json.is_string()) {
      const std::string word = json.get<std::string>();
      if (word == "nan") return std::numeric_limits<double>::quiet_NaN();
      if (word == "inf") return std::numeric_limits<double>::infinity();
      if (word == "-inf") return -std::numeric_limits<double>::infinity();
    }
    if (!json.is_number()) refuse("a number, \"nan\", \"inf\" or \"-inf\"");
    return json.get<double>();
  }
  // A value of an element, back to the engine's spelling.
  std::string printed() const {
    if (json.is_null()) return "";
    if (json.is_number_integer()) return std::to_string(integer());
    if (json.is_number_float()) return words::shortest(json.get<double>());
    return text();
  }

  template <typename Read>
  auto list(Read read) const {
    if (!json.is_array()) refuse("an array");
    std::vector<decltype(read(*this))> all;
    for (std::size_t i = 0; i < json.size(); ++i) all.push_back(read(inside(json[i], "[" + std::to_string(i) + "]")));
    return all;
  }
  std::vector<std::string> texts() const { return list([](const JsonPlace& at) { return at.text(); }); }
  std::vector<std::int64_t> integers() const { return list([](const JsonPlace& at) { return at.integer(); }); }
  std::vector<std::int64_t> counts() const { return list([](const JsonPlace& at) { return at.counted(); }); }
};

// nlohmann/json builds its values on the heap, but its destructor and our walk recurse: depth is limited before parsing.
inline void limit_depth(const std::string& text, const std::string& place) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      else if (c == '"') quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{' || c == '[') {
      if (++depth > 64) throw Error(place, "found values nested deeper than 64, expected a report");
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
}

inline Json json_from(const std::string& text, const std::string& place) {
  limit_depth(text, place);
  try {
    return Json::parse(text);
  } catch (const Json::exception& e) {
    throw Error(place, std::string("found no JSON: ") + e.what());
  }
}

}  // namespace lastbit::reading
