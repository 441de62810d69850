// declared.cpp: see declared.hpp.
#include "lib/layer/declared.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>

#include "lib/error.hpp"

namespace lastbit {
namespace {

/// The rest of `text` after `word`, if it begins with it.
std::optional<std::string_view> after(std::string_view text, std::string_view word) {
  if (text.substr(0, word.size()) != word) return {};
  return text.substr(word.size());
}

std::optional<double> number_at(std::string_view text) {
  double v = 0;
  const auto r = std::from_chars(text.data(), text.data() + text.size(), v);
  if (r.ec != std::errc()) return {};
  return v;
}

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const std::size_t comma = text.front() == '{' ? text.find('}') + 1 : std::min(text.find(", "), text.find(" or "));
    words.push_back(text.substr(0, comma));
    if (comma >= text.size()) break;
    text.remove_prefix(comma);
    text.remove_prefix(text.front() == ',' ? 2 : 4);
  }
  return words;
}

/// Up to where the words for people begin.
std::string_view declared_words(std::string_view what) {
  for (const std::string_view end : {" (", ":", " in "})
    if (const auto at = what.find(end); at != std::string_view::npos) what = what.substr(0, at);
  return what;
}

[[noreturn]] void wrong(const Layer& layer, const AttributeSpec& a, const std::string& found, const std::string& expected) {
  throw Error(layer.place + ": attribute \"" + a.name + "\"", "found " + found + ", expected " + expected);
}

std::string shown(double v) { return v == std::trunc(v) && std::fabs(v) < 1e15 ? std::to_string(static_cast<std::int64_t>(v)) : std::to_string(v); }

/// `rest` is what stands behind the type: a bound, one of a few, or nothing that is checked here.
void check_bound(const Layer& layer, const AttributeSpec& a, std::string_view rest, double v) {
  const auto require = [&](bool good, const std::string& expected) {
    if (!good) wrong(layer, a, shown(v), expected);
  };
  if (const auto bound = after(rest, " >= ")) require(v >= *number_at(*bound), "at least " + shown(*number_at(*bound)));
  else if (const auto above = after(rest, " > ")) require(v > *number_at(*above), "more than " + shown(*number_at(*above)));
  else if (const auto other = after(rest, " != ")) require(v != *number_at(*other), "anything but " + shown(*number_at(*other)));
  else if (const auto few = after(rest, ", one of ")) {
    const auto words = words_of(declared_words(*few));
    require(std::any_of(words.begin(), words.end(), [&](std::string_view w) { return number_at(w) == v; }), "one of " + std::string(declared_words(*few)));
  } else if (rest.size() > 1 && number_at(rest.substr(1))) {  // " 0 to 4"
    const auto to = rest.find(" to ");
    ensure(to != std::string_view::npos, "a declared attribute has a bound of no known form");
    require(v >= *number_at(rest.substr(1)) && v <= *number_at(rest.substr(to + 4)), std::string(declared_words(rest.substr(1))));
  }
}

/// Runtimes compute with numbers as float32.
void check_float(const Layer& layer, const AttributeSpec& a, double v) {
  if (!(std::fabs(v) < 0x1.ffffffp127)) wrong(layer, a, "a number beyond float32", "a finite number that float32 can hold");
}

}  // namespace

void check_attribute(const Layer& layer, const AttributeSpec& a) {
  if (!layer.attributes.has(a.name)) return;
  const std::string_view what = a.what;
  if (after(what, "true")) {
    layer.attributes.boolean(a.name);
  } else if (const auto integers = after(what, "integers")) {
    for (const std::int64_t v : layer.attributes.list(a.name)) check_bound(layer, a, *integers, static_cast<double>(v));
  } else if (const auto integer = after(what, "integer")) {
    check_bound(layer, a, *integer, static_cast<double>(layer.attributes.integer(a.name)));
  } else if (const auto numbers = after(what, "numbers")) {
    for (const double v : layer.attributes.numbers(a.name)) check_float(layer, a, v), check_bound(layer, a, *numbers, v);
  } else if (const auto number = after(what, "number")) {
    check_float(layer, a, layer.attributes.number(a.name));
    check_bound(layer, a, *number, layer.attributes.number(a.name));
  } else {
    const std::string_view declared = declared_words(what);
    const auto words = words_of(declared);
    const auto known = [&](std::string_view word) { return std::find(words.begin(), words.end(), word) != words.end(); };
    if (std::holds_alternative<Clamp>(layer.attributes.values.at(a.name)) && known("{min, max}")) return;
    const std::string word = layer.attributes.text(a.name);
    if (!known(word) || word[0] == '{') wrong(layer, a, '"' + word.substr(0, 80) + '"', std::string(declared));
  }
}

void check_scales(const Layer& layer, const Operator& op) {
  const auto it = layer.outputs.find("y");
  if (it == layer.outputs.end()) return;
  const Tensor& y = it->second;
  const auto bare = [](const Tensor& t) { return !is_float(t.dtype) && !t.q.quantized(); };
  const auto no_scale = [&](const std::string& which) { throw Error(layer.place + ": " + which, "found integers without a scale, expected a scale (operator " + op.name + ")"); };
  bool quantized = std::any_of(op.outputs.begin(), op.outputs.end(), [](const Port& p) { return p.name == "accumulator"; });
  for (const auto& [port, t] : layer.inputs) quantized = quantized || t.q.quantized();
  if (bare(y)) {
    if (quantized) no_scale("output \"y\"");
    return;  // integers that are only moved
  }
  for (const auto& [port, t] : layer.inputs)
    if ((port[0] == 'x' || port == "a" || port == "b") && bare(t)) no_scale("input \"" + port + "\"");
}

std::vector<std::string> undeclared_attributes(const Attributes& attributes, const Operator& op) {
  std::vector<std::string> all;
  for (const auto& [key, value] : attributes.values)
    if (key != "not_judged" && std::none_of(op.attributes.begin(), op.attributes.end(), [&](const AttributeSpec& a) { return a.name == key; })) all.push_back(key);
  return all;
}

}  // namespace lastbit
