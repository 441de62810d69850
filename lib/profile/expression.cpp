// expression.cpp: a recursive-descent parser and evaluator. See expression.hpp.
#include "lib/profile/expression.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>

#include "lib/error.hpp"
#include "lib/num/round.hpp"

namespace lastbit {

struct Expression::Node {
  enum class What { number, name, negate, add, subtract, multiply, divide, f32, f64, rne, q31, q15, pow2, power, min, max, fma } what;
  double number = 0;
  std::string name;
  std::vector<Node> of;
};

namespace {

using Node = Expression::Node;
using What = Node::What;

struct Function {
  const char* name;
  What what;
  std::size_t arguments;
};
constexpr Function functions[] = {{"f32", What::f32, 1}, {"f64", What::f64, 1}, {"rne", What::rne, 1}, {"q31", What::q31, 1}, {"q15", What::q15, 1}, {"pow2", What::pow2, 1}, {"power", What::power, 1},
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
    return {What::name, 0, word, {}};
  }
};

using Kind = Scalar::Kind;

Scalar narrow(double v) { return {Kind::f32, static_cast<double>(static_cast<float>(v))}; }

/// v with its mantissa rounded to that many bits, half away from zero; one bit gives the nearest power of two.
double mantissa_of(double v, int bits) {
  if (v == 0 || !std::isfinite(v)) return v;
  int e = 0;
  const double q = std::frexp(v, &e);
  return std::ldexp(static_cast<double>(to_integer(std::ldexp(q, bits), Rounding::half_away).value), e - bits);
}

/// One step: in float32 when both sides are float32 (or one is and the other a literal).
template <class F>
Scalar step(const Scalar& a, const Scalar& b, F f) {
  const bool single = (a.kind == Kind::f32 || b.kind == Kind::f32) && a.kind != Kind::f64 && b.kind != Kind::f64;
  if (single) return {Kind::f32, static_cast<double>(f(static_cast<float>(a.value), static_cast<float>(b.value)))};
  const Kind kind = a.kind == Kind::literal && b.kind == Kind::literal ? Kind::literal : Kind::f64;
  return {kind, f(a.value, b.value)};
}

Scalar evaluate(const Node& n, const Names& names) {
  const auto of = [&](std::size_t i) { return evaluate(n.of[i], names); };
  switch (n.what) {
    case What::number: return {Kind::literal, n.number};
    case What::name: {
      const auto it = names.find(n.name);
      if (it == names.end()) throw Error("expression", "found the name \"" + n.name + "\", expected one that this layer has");
      return {Kind::f64, it->second};
    }
    case What::negate: { Scalar v = of(0); v.value = -v.value; return v; }
    case What::add: return step(of(0), of(1), [](auto a, auto b) { return a + b; });
    case What::subtract: return step(of(0), of(1), [](auto a, auto b) { return a - b; });
    case What::multiply: return step(of(0), of(1), [](auto a, auto b) { return a * b; });
    case What::divide: return step(of(0), of(1), [](auto a, auto b) { return a / b; });
    case What::f32: return narrow(of(0).value);
    case What::f64: return {Kind::f64, of(0).value};
    case What::rne: {
      Scalar v = of(0);
      if (std::fabs(v.value) < 0x1p62) v.value = static_cast<double>(rne(v.value));
      return v;
    }
    case What::q31: return {Kind::f64, mantissa_of(of(0).value, 31)};
    case What::q15: return {Kind::f64, mantissa_of(of(0).value, 15)};
    case What::pow2: return {Kind::f64, mantissa_of(of(0).value, 1)};
    case What::power: {  // frexp's: x / power(x) is in [0.5, 1) where x < 1
      int e = 0;
      const double q = std::frexp(of(0).value, &e);
      return {Kind::f64, q == 0 || e > 0 ? 1.0 : std::ldexp(1.0, e)};
    }
    case What::min: return step(of(0), of(1), [](auto a, auto b) { return b < a ? b : a; });
    case What::max: return step(of(0), of(1), [](auto a, auto b) { return a < b ? b : a; });
    case What::fma: {
      const Scalar a = of(0), b = of(1), c = of(2);
      if (a.kind == Kind::f64 || b.kind == Kind::f64 || c.kind == Kind::f64) return {Kind::f64, std::fma(a.value, b.value, c.value)};
      return narrow(std::fma(static_cast<float>(a.value), static_cast<float>(b.value), static_cast<float>(c.value)));
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
  Parser parser{text, place};
  Node root = parser.sum();
  if (parser.take(' '), parser.at != text.size()) parser.fail("an operator or the end");
  Expression e;
  e.text_ = text;
  e.root_ = std::make_shared<const Node>(std::move(root));
  return e;
}

Scalar Expression::evaluate(const Names& names) const { return lastbit::evaluate(*root_, names); }

std::vector<std::string> Expression::names() const {
  std::vector<std::string> all;
  collect(*root_, all);
  return all;
}

}  // namespace lastbit
