// json.cpp: see json.hpp.
#include "lib/dump/json.hpp"

#include <vector>

#include "lib/dump/words.hpp"

namespace lastbit {
namespace {

constexpr std::size_t deepest = 32;

/// Values put where they belong as the library reads them, which it takes for a handler of its events by these functions' names.
class Builder {
 public:
  explicit Builder(const std::string& place) : place_(place) {}
  Json& root() { return root_; }

  bool null() { return put(nullptr); }
  bool boolean(bool v) { return put(v); }
  bool number_integer(std::int64_t v) { return put(v); }
  bool number_unsigned(std::uint64_t v) { return put(v); }
  bool number_float(double v, const std::string&) { return put(v); }
  bool string(std::string& v) { return put(std::move(v)); }
  bool binary(Json::binary_t& v) { return put(std::move(v)); }
  bool start_object(std::size_t) { return start(Json::value_t::object); }
  bool key(std::string& name) {
    Open& in = open_.back();
    const auto [it, fresh] = in.value->get_ref<Json::object_t&>().try_emplace(std::move(name));
    if (!fresh && (!in.twice || it->first < *in.twice)) in.twice = &it->first;
    member_ = &it->second;
    return true;
  }
  bool end_object() {
    if (const auto* twice = open_.back().twice) refuse(place_, "the key " + in_quotes(*twice) + " twice", "each name once");
    open_.pop_back();
    return true;
  }
  bool start_array(std::size_t) { return start(Json::value_t::array); }
  bool end_array() { return open_.pop_back(), true; }
  bool parse_error(std::size_t, const std::string&, const Json::exception& e) {  // "[json.exception.parse_error.101] parse error at line 1, column 2: ..."
    const std::string_view said = e.what();
    const auto end = said.find("] ");
    refuse(place_, "no JSON (" + one_line(end == std::string_view::npos ? said : said.substr(end + 2)) + ")", "a JSON object");
  }

 private:
  struct Open {
    Json* value;
    const std::string* twice = nullptr;  // of an object's keys, the first by name that stands there again
  };
  Json& add(Json&& v) {
    if (open_.empty()) return root_ = std::move(v);
    if (Json& in = *open_.back().value; in.is_array()) return in.get_ref<Json::array_t&>().emplace_back(std::move(v));
    return *member_ = std::move(v);
  }
  bool put(Json&& v) { return add(std::move(v)), true; }
  bool start(Json::value_t kind) {
    if (open_.size() >= deepest) refuse(place_, "more than 32 levels of nesting", "a manifest's few");
    open_.push_back({&add(kind)});
    return true;
  }

  const std::string& place_;
  Json root_;
  Json* member_ = nullptr;   // of the object that is open: what the last key names
  std::vector<Open> open_;   // objects and lists around what comes next
};

}  // namespace

Json parse_json(std::string_view text, const std::string& place) {
  Builder builder(place);
  Json::sax_parse(text.begin(), text.end(), &builder);
  return std::move(builder.root());
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
