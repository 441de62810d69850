// expression.cpp: a recursive-descent parser and evaluator. See expression.hpp.
#include "lib/profile/expression.hpp"

#include <algorithm>
#include <bit>
#include <cctype>
#include <charconv>
#include <cmath>
#include <unordered_map>

#include "lib/error.hpp"
#include "lib/num/round.hpp"

namespace lastbit {

struct Expression::Node {
  enum class What { number, name, negate, add, subtract, multiply, divide, f32, f64, rne, away, q31, q15, pow2, power, int_min, min, max, fma } what;
  double number = 0;
  std::string name;
  std::vector<Node> of;
  std::size_t slot = Names::none;
};

namespace {

using Node = Expression::Node;
using What = Node::What;

struct Function {
  const char* name;
  What what;
  std::size_t arguments;
};
constexpr Function functions[] = {{"f32", What::f32, 1}, {"f64", What::f64, 1}, {"rne", What::rne, 1}, {"away", What::away, 1}, {"q31", What::q31, 1}, {"q15", What::q15, 1}, {"pow2", What::pow2, 1}, {"power", What::power, 1}, {"int_min", What::int_min, 1},
                                  {"min", What::min, 2}, {"max", What::max, 2}, {"fma", What::fma, 3}};

struct Parser {
  const std::string& text;
  const std::string& place;
  std::size_t at = 0;
  int depth = 0;

  [[noreturn]] void fail(const std::string& expected) const {
    throw Error(place, "found \"" + text + "\" with " + (at < text.size() ? "'" + text.substr(at, 12) + "'" : "its end") + " where " + expected + " is expected");
  }
  bool take(char c) {
    while (at < text.size() && text[at] == ' ') ++at;
    return at < text.size() && text[at] == c ? ++at, true : false;
  }
  void need(char c) {
    if (!take(c)) fail(std::string("'") + c + "'");
  }
  Node sum() {
    if (++depth > 64) fail("a shallower expression");
    Node left = product();
    for (;;) {
      if (take('+')) left = {What::add, 0, {}, {std::move(left), product()}};
      else if (take('-')) left = {What::subtract, 0, {}, {std::move(left), product()}};
      else break;
    }
    --depth;
    return left;
  }
  Node product() {
    Node left = factor();
    for (;;) {
      if (take('*')) left = {What::multiply, 0, {}, {std::move(left), factor()}};
      else if (take('/')) left = {What::divide, 0, {}, {std::move(left), factor()}};
      else return left;
    }
  }
  Node factor() {
    if (take('-')) return {What::negate, 0, {}, {factor()}};
    if (take('(')) {
      Node inner = sum();
      need(')');
      return inner;
    }
    const std::size_t start = at;
    if (at < text.size() && (std::isdigit(static_cast<unsigned char>(text[at])) || text[at] == '.')) {
      double v = 0;
      const auto r = std::from_chars(text.data() + at, text.data() + text.size(), v);
      if (r.ec != std::errc()) fail("a number");
      at = static_cast<std::size_t>(r.ptr - text.data());
      return {What::number, v, {}, {}};
    }
    while (at < text.size() && (std::isalnum(static_cast<unsigned char>(text[at])) || text[at] == '_')) ++at;
    const std::string word = text.substr(start, at - start);
    if (word.empty()) fail("a name, a number or '('");
    for (const auto& f : functions)
      if (word == f.name) {
        Node call{f.what, 0, {}, {}};
        need('(');
        for (std::size_t i = 0; i < f.arguments; ++i) {
          if (i) need(',');
          call.of.push_back(sum());
        }
        need(')');
        return call;
      }
    return {What::name, 0, word, {}, Names::slot(word)};
  }
};

using Kind = Scalar::Kind;

/// v with its mantissa rounded to that many bits, half away from zero; one bit gives the nearest power of two.
double mantissa_of(double v, int bits) {
  if (v == 0 || !std::isfinite(v)) return v;
  int e = 0;
  const double q = std::frexp(v, &e);
  return std::ldexp(static_cast<double>(to_integer(std::ldexp(q, bits), Rounding::half_away).value), e - bits);
}

/// The kind of a step: float32 when both sides are (or one is and the other a literal).
Kind kind_of(Kind a, Kind b) {
  if (a == Kind::f64 || b == Kind::f64) return Kind::f64;
  return a == Kind::f32 || b == Kind::f32 ? Kind::f32 : Kind::literal;
}

/// As many as there are channels, or one: all alike, as most constants are.
using Values = std::vector<double>;

void spread(Values& v, std::size_t n) {
  if (v.size() < n) v.resize(n, v[0]);
}

/// One step on both sides' values, into the left's.
template <class F>
Column step(Column a, const Column& b, F f) {
  a.kind = kind_of(a.kind, b.kind);
  spread(a.values, b.values.size());
  double* v = a.values.data();
  const std::size_t n = a.values.size();
  const auto all = [&](auto right) {
    if (a.kind == Kind::f32)
      for (std::size_t i = 0; i < n; ++i) v[i] = static_cast<double>(f(static_cast<float>(v[i]), static_cast<float>(right(i))));
    else
      for (std::size_t i = 0; i < n; ++i) v[i] = f(v[i], right(i));
  };
  if (b.values.size() == n) all([w = b.values.data()](std::size_t i) { return w[i]; });
  else all([one = b.values[0]](std::size_t) { return one; });
  return a;
}

/// A function of one value, whose result is of the kind.
template <class F>
Column each(Column a, Kind kind, F f) {
  a.kind = kind;
  for (double& v : a.values) v = f(v);
  return a;
}

double single(double v) { return static_cast<double>(static_cast<float>(v)); }

Column named(const Node& n, std::span<const Names> channels) {
  const auto value = [&](const Names& names) {
    if (!names.has(n.slot)) throw Error("expression", "found the name \"" + n.name + "\", expected one that this layer has");
    return names.value(n.slot);
  };
  const auto bits = std::bit_cast<std::uint64_t>(value(channels[0]));  // 0 and -0 differ
  if (std::all_of(channels.begin(), channels.end(), [&](const Names& names) { return std::bit_cast<std::uint64_t>(value(names)) == bits; })) return {Kind::f64, {std::bit_cast<double>(bits)}};
  Column c{Kind::f64, Values(channels.size())};
  std::transform(channels.begin(), channels.end(), c.values.begin(), value);
  return c;
}

Column evaluate(const Node& n, std::span<const Names> channels) {
  const auto of = [&](std::size_t i) { return evaluate(n.of[i], channels); };
  switch (n.what) {
    case What::number: return {Kind::literal, {n.number}};
    case What::name: return named(n, channels);
    case What::negate: {
      Column a = of(0);
      return each(std::move(a), a.kind, [](double v) { return -v; });
    }
    case What::add: return step(of(0), of(1), [](auto a, auto b) { return a + b; });
    case What::subtract: return step(of(0), of(1), [](auto a, auto b) { return a - b; });
    case What::multiply: return step(of(0), of(1), [](auto a, auto b) { return a * b; });
    case What::divide: return step(of(0), of(1), [](auto a, auto b) { return a / b; });
    case What::f32: return each(of(0), Kind::f32, single);
    case What::f64: return each(of(0), Kind::f64, [](double v) { return v; });
    case What::rne: {
      Column a = of(0);
      return each(std::move(a), a.kind, [](double v) { return std::fabs(v) < 0x1p62 ? static_cast<double>(rne(v)) : v; });
    }
    case What::away: {
      Column a = of(0);
      return each(std::move(a), a.kind, [](double v) { return std::fabs(v) < 0x1p62 ? static_cast<double>(to_integer(v, Rounding::half_away).value) : v; });
    }
    case What::q31: return each(of(0), Kind::f64, [](double v) { return mantissa_of(v, 31); });
    case What::q15: return each(of(0), Kind::f64, [](double v) { return mantissa_of(v, 15); });
    case What::pow2: return each(of(0), Kind::f64, [](double v) { return mantissa_of(v, 1); });
    case What::power:
      return each(of(0), Kind::f64, [](double v) {  // frexp's: x / power(x) is in [0.5, 1) where x < 1
        int e = 0;
        const double q = std::frexp(v, &e);
        return q == 0 || e > 0 ? 1.0 : std::ldexp(1.0, e);
      });
    case What::int_min: {
      Column a = of(0);
      return each(std::move(a), a.kind, [](double v) { return v >= 0x1p31 ? -0x1p31 : v; });
    }
    case What::min: return step(of(0), of(1), [](auto a, auto b) { return b < a ? b : a; });
    case What::max: return step(of(0), of(1), [](auto a, auto b) { return a < b ? b : a; });
    case What::fma: {
      Column a = of(0);
      Column b = of(1), c = of(2);
      const std::size_t most = std::max({a.values.size(), b.values.size(), c.values.size()});
      for (Column* one : {&a, &b, &c}) spread(one->values, most);
      const bool wide = a.kind == Kind::f64 || b.kind == Kind::f64 || c.kind == Kind::f64;
      a.kind = wide ? Kind::f64 : Kind::f32;
      for (std::size_t i = 0; i < a.values.size(); ++i)
        a.values[i] = wide ? std::fma(a.values[i], b.values[i], c.values[i])
                           : single(std::fma(static_cast<float>(a.values[i]), static_cast<float>(b.values[i]), static_cast<float>(c.values[i])));
      return a;
    }
  }
  throw InternalError("an expression node of no kind");
}

void collect(const Node& n, std::vector<std::string>& into) {
  if (n.what == What::name && std::find(into.begin(), into.end(), n.name) == into.end()) into.push_back(n.name);
  for (const auto& c : n.of) collect(c, into);
}

}  // namespace

Expression Expression::parse(const std::string& text, const std::string& place) {
  // Profiles spell a few hundred constants, and every layer asks for dozens of them again.
  constexpr std::size_t most = 4096;
  thread_local std::unordered_map<std::string, Expression> known;
  if (const auto it = known.find(text); it != known.end()) return it->second;
  Parser parser{text, place};
  Node root = parser.sum();
  if (parser.take(' '), parser.at != text.size()) parser.fail("an operator or the end");
  Expression e;
  e.text_ = text;
  e.root_ = std::make_shared<const Node>(std::move(root));
  if (known.size() < most) known.emplace(text, e);
  return e;
}

void Names::missing(std::string_view name) { throw Error("expression", "found the name \"" + std::string(name) + "\", expected one that this layer has"); }

Column Expression::evaluate(std::span<const Names> channels) const {
  if (channels.empty()) return {};
  Column c = lastbit::evaluate(*root_, channels);
  spread(c.values, channels.size());
  return c;
}

Scalar Expression::evaluate(const Names& names) const {
  const Column c = evaluate(std::span(&names, 1));
  return {c.kind, c.values[0]};
}

std::vector<std::string> Expression::names() const {
  std::vector<std::string> all;
  collect(*root_, all);
  return all;
}

}  // namespace lastbit
