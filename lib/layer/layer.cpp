// layer.cpp: attributes with their errors, and the facts a profile may ask for. See layer.hpp.
#include "lib/layer/layer.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <functional>
#include <string_view>

#include "lib/error.hpp"

namespace lastbit {
namespace {

std::string describe(const Attribute& a) {
  struct Describe {
    std::string operator()(std::monostate) const { return "nothing"; }
    std::string operator()(bool b) const { return b ? "true" : "false"; }
    std::string operator()(std::int64_t v) const { return std::to_string(v); }
    std::string operator()(double v) const { return std::to_string(v); }
    std::string operator()(const std::string& s) const { return "\"" + s + "\""; }
    std::string operator()(const std::vector<std::int64_t>& v) const { return to_string(v); }
    std::string operator()(const std::vector<double>& v) const { return "a list of " + std::to_string(v.size()) + " numbers"; }
    std::string operator()(const Clamp&) const { return "{min, max}"; }
  };
  return std::visit(Describe{}, a);
}

[[noreturn]] void wrong(const Attributes& a, const std::string& key, const std::string& expected) {
  const auto it = a.values.find(key);
  throw Error(a.place + ": attribute \"" + key + "\"", "found " + (it == a.values.end() ? "nothing" : describe(it->second)) + ", expected " + expected);
}

template <class T, class Get>
T get(const Attributes& a, const std::string& key, const std::optional<T>& otherwise, const char* expected, Get read) {
  const Attribute* value = a.find(key);
  if (!value) {
    if (otherwise) return *otherwise;
    wrong(a, key, expected);
  }
  const std::optional<T> v = read(*value);
  if (!v) wrong(a, key, expected);
  return *v;
}

}  // namespace

bool Attributes::boolean(const std::string& key, std::optional<bool> otherwise) const {
  return get<bool>(*this, key, otherwise, "true or false", [](const Attribute& v) -> std::optional<bool> {
    if (const auto* b = std::get_if<bool>(&v)) return *b;
    return {};
  });
}
std::int64_t Attributes::integer(const std::string& key, std::optional<std::int64_t> otherwise) const {
  return get<std::int64_t>(*this, key, otherwise, "an integer", [](const Attribute& v) -> std::optional<std::int64_t> {
    if (const auto* i = std::get_if<std::int64_t>(&v)) return *i;
    return {};
  });
}
double Attributes::number(const std::string& key, std::optional<double> otherwise) const {
  return get<double>(*this, key, otherwise, "a number", [](const Attribute& v) -> std::optional<double> {
    if (const auto* i = std::get_if<std::int64_t>(&v)) return static_cast<double>(*i);
    if (const auto* d = std::get_if<double>(&v)) return *d;
    return {};
  });
}
std::string Attributes::text(const std::string& key, std::optional<std::string> otherwise) const {
  return get<std::string>(*this, key, otherwise, "a string", [](const Attribute& v) -> std::optional<std::string> {
    if (const auto* s = std::get_if<std::string>(&v)) return *s;
    return {};
  });
}
std::vector<std::int64_t> Attributes::integers(const std::string& key, std::size_t n, std::optional<std::int64_t> otherwise) const {
  if (otherwise && !has(key)) return std::vector<std::int64_t>(n, *otherwise);
  auto v = list(key);
  if (v.size() == 1) v.resize(n, v[0]);
  if (v.size() != n) wrong(*this, key, std::to_string(n) + " integers");
  return v;
}
std::vector<std::int64_t> Attributes::list(const std::string& key) const {
  if (const Attribute* v = find(key)) {
    if (const auto* i = std::get_if<std::int64_t>(v)) return {*i};
    if (const auto* l = std::get_if<std::vector<std::int64_t>>(v)) return *l;
  }
  wrong(*this, key, "a list of integers");
}
std::vector<double> Attributes::numbers(const std::string& key) const {
  if (const Attribute* v = find(key)) {
    if (const auto* i = std::get_if<std::int64_t>(v)) return {static_cast<double>(*i)};
    if (const auto* d = std::get_if<double>(v)) return {*d};
    if (const auto* l = std::get_if<std::vector<std::int64_t>>(v)) return {l->begin(), l->end()};
    if (const auto* l = std::get_if<std::vector<double>>(v)) return *l;
  }
  wrong(*this, key, "a list of numbers");
}

const Tensor& Layer::in(const std::string& port) const {
  const auto it = inputs.find(port);
  if (it == inputs.end()) throw Error(place, "found no input \"" + port + "\", expected one (operator " + op + ")");
  return it->second;
}
const Tensor& Layer::out(const std::string& port) const {
  const auto it = outputs.find(port);
  if (it == outputs.end()) throw Error(place, "found no output \"" + port + "\", expected one (operator " + op + ")");
  return it->second;
}

void expect_isa(const std::string& isa, const std::string& place) {
  static const std::vector<std::string> known{"avx512_amx", "avx512_vnni", "avx512", "avx2_vnni", "avx2", "avx", "sse4.1", "neon", "neon_dotprod", "neon_i8mm"};
  if (isa.empty() || std::find(known.begin(), known.end(), isa) != known.end()) return;
  std::string all;
  for (const auto& one : known) all += (all.empty() ? "" : ", ") + one;
  throw Error(place, "found the instruction set \"" + isa + "\", expected one of " + all);
}

std::set<std::string> producer_facts(const Producer& producer) {
  std::set<std::string> facts;
  const std::string isa = producer.at("isa").empty() ? "avx512_vnni" : producer.at("isa");
  facts.insert("isa:" + isa);
  const bool arm = isa.rfind("neon", 0) == 0;
  facts.insert(arm ? "arm" : "x86");
  const bool vnni = isa == "avx512_amx" || isa == "avx512_vnni" || isa == "avx2_vnni";
  if (isa == "avx512_amx") facts.insert("amx");
  facts.insert(vnni || arm ? "vnni" : "no_vnni");  // exact 8-bit dot products
  if (isa.rfind("avx512", 0) == 0) facts.insert("avx512");
  if (isa == "avx" || isa == "sse4.1") facts.insert("no_avx2");
  else if (!arm) facts.insert("avx2");
  const std::string u8s8 = producer.at("u8s8_pairs");
  if (u8s8 == "saturate" || (u8s8.empty() && facts.count("no_vnni") && facts.count("avx2"))) facts.insert("u8s8_saturates");
  for (const auto& [key, value] : producer.fields)
    if (key != "isa") facts.insert(key + ":" + value);
  constexpr std::string_view space = " \t\n\v\f\r";
  const std::string kernels = producer.at("kernels");  // "Conv 6, QLinearConv 12": names, and how often
  for (std::size_t at = kernels.find_first_not_of(space); at != std::string::npos;) {
    const std::size_t end = std::min(kernels.find_first_of(space, at), kernels.size());
    if (std::isalpha(static_cast<unsigned char>(kernels[at]))) facts.insert("kernel:" + kernels.substr(at, end - at));
    at = kernels.find_first_not_of(space, end);
  }
  return facts;
}

std::set<std::string> common_facts(const Layer& layer) {
  std::set<std::string> facts = producer_facts(layer.producer);
  add_facts(layer, facts);
  return facts;
}

void add_facts(const Layer& layer, std::set<std::string>& facts) {
  for (const auto& [port, t] : layer.inputs) {
    facts.insert(port + ":" + std::string(name(t.dtype)));
    if (port == "x" && !t.memory_layout.empty()) facts.insert("memory:" + t.memory_layout);
  }
  for (const auto& [port, t] : layer.outputs) facts.insert(port + ":" + std::string(name(t.dtype)));
  if (const auto* w = layer.find("weight")) {
    if (w->q.scale.size() > 1 || w->q.axis >= 0) facts.insert("per_channel");
    if (w->q.scale.size() > 1) facts.insert("several_scales");
    if (std::any_of(w->q.zero_point.begin(), w->q.zero_point.end(), [](double z) { return z != 0; })) facts.insert("weight_zero_point");
    if (std::adjacent_find(w->q.zero_point.begin(), w->q.zero_point.end(), std::not_equal_to<>()) != w->q.zero_point.end()) facts.insert("weight_zero_points_differ");
  }
  if (const auto* bias = layer.find("bias")) {
    facts.insert("bias");
    if (!layer.attributes.has("bias_dtype") && !is_float(bias->dtype)) facts.insert("bias_dtype:" + std::string(name(bias->dtype)));
  }
  if (!layer.has_out("y") && layer.has_out("accumulator")) facts.insert("accumulator_only");
  if (layer.attributes.has("activation")) {
    const auto& a = layer.attributes.values.at("activation");
    facts.insert("activation:" + (std::holds_alternative<std::string>(a) ? std::get<std::string>(a) : std::string("clamp")));
  }
  for (const char* key : {"variant", "compute", "bias_dtype", "choose", "mode", "approximate", "input_dtype"})
    if (layer.attributes.has(key)) facts.insert(std::string(key) + ":" + layer.attributes.text(key));
  if (layer.attributes.has("groups") && layer.find("weight") && layer.in("weight").rank() >= 2) {
    const auto groups = layer.attributes.integer("groups");
    if (groups > 1) facts.insert("grouped");
    const bool transposed = layer.op.find("transpose") != std::string::npos;
    const auto& w = layer.in("weight");
    if (groups > 1 && w.dim(1) == 1 && w.dim(0) == groups) facts.insert("depthwise");
    if (!transposed && groups > 1 && w.dim(1) == 1) facts.insert("depthwise_multiplier");
  }
}

namespace {
std::vector<int> version_numbers(const std::string& s) {
  std::vector<int> v;
  for (std::size_t at = 0; at < s.size();) {
    int n = 0;
    const auto r = std::from_chars(s.data() + at, s.data() + s.size(), n);
    if (r.ec != std::errc()) break;
    v.push_back(n);
    at = static_cast<std::size_t>(r.ptr - s.data());
    if (at >= s.size() || s[at] != '.') break;
    ++at;
  }
  return v;
}
}  // namespace

bool holds(const std::string& condition, const Layer& layer) {
  if (!condition.empty() && condition[0] == '!') return !holds(condition.substr(1), layer);
  if (condition.rfind("version", 0) == 0 && condition.find_first_of("<>=") == 7) {
    const auto op_end = condition.find_first_not_of("<>=", 7);
    const std::string op = condition.substr(7, op_end - 7);
    auto have = version_numbers(layer.producer.at("version")), want = version_numbers(condition.substr(op_end));
    if (have.empty()) return false;  // a dump that does not say its version has the newest arithmetic
    have.resize(std::max(have.size(), want.size()));
    want.resize(have.size());
    return op == ">=" ? have >= want : op == "<=" ? have <= want : op == "<" ? have < want : op == ">" ? have > want : have == want;
  }
  if (const auto at = condition.find("<="); at != std::string::npos && at > 0) {  // an integer attribute, 1 when absent: "groups<=100"
    std::int64_t most = 0;
    std::from_chars(condition.data() + at + 2, condition.data() + condition.size(), most);
    return layer.attributes.integer(condition.substr(0, at), 1) <= most;
  }
  return layer.is(condition);
}

}  // namespace lastbit
