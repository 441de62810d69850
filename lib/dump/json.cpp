// json.cpp: see json.hpp.
#include "lib/dump/json.hpp"

#include <algorithm>
#include <vector>

#include "lib/dump/words.hpp"

namespace lastbit {

namespace {
constexpr int deepest = 32;
}

Json parse_json(std::string_view text, const std::string& place) {
  std::vector<std::vector<std::string>> keys;  // of the objects that are open
  const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    switch (event) {
      case Json::parse_event_t::object_start:
        keys.emplace_back();
        [[fallthrough]];
      case Json::parse_event_t::array_start:
        if (depth >= deepest) refuse(place, "more than 32 levels of nesting", "a manifest's few");
        break;
      case Json::parse_event_t::key:
        keys.back().push_back(parsed.get_ref<const std::string&>());
        break;
      case Json::parse_event_t::object_end: {
        auto& all = keys.back();
        std::sort(all.begin(), all.end());
        if (const auto twice = std::adjacent_find(all.begin(), all.end()); twice != all.end()) refuse(place, "the key " + in_quotes(*twice) + " twice", "each name once");
        keys.pop_back();
        break;
      }
      default: break;
    }
    return true;
  };
  try {
    return Json::parse(text.begin(), text.end(), watch);
  } catch (const Json::exception& e) {  // "[json.exception.parse_error.101] parse error at line 1, column 2: ..."
    const std::string_view said = e.what();
    const auto end = said.find("] ");
    refuse(place, "no JSON (" + one_line(end == std::string_view::npos ? said : said.substr(end + 2)) + ")", "a JSON object");
  }
}

std::string described(const Json& j) {
  switch (j.type()) {
    case Json::value_t::object: return "an object";
    case Json::value_t::array: return "a list of " + std::to_string(j.size());
    case Json::value_t::string: return in_quotes(j.get_ref<const std::string&>());
    default: return j.dump();
  }
}

}  // namespace lastbit
