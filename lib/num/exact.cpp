// exact.cpp: rationals by Boost.Multiprecision. Irrational functions are evaluated at 400 bits and widened by 2^-300 of
// their size: Boost's cpp_bin_float functions err by a few units in the last of 400 bits, so the interval is certain.
#include "lib/num/exact.hpp"

#include <boost/multiprecision/cpp_bin_float.hpp>
#include <boost/multiprecision/cpp_int.hpp>

#include <variant>

#include "lib/error.hpp"

namespace lastbit {

namespace mp = boost::multiprecision;
using Rational = mp::cpp_rational;
using Integer = mp::cpp_int;
using Real = mp::number<mp::cpp_bin_float<400, mp::digit_base_2>, mp::et_off>;

/// m * 2^e, m odd or 0 * 2^0: sums and products of scales and integers, without a greatest common divisor.
struct Dyadic {
  Integer m;
  std::int64_t e = 0;
  bool operator==(const Dyadic& b) const { return e == b.e && m == b.m; }
};
struct Interval {
  Rational lo, hi;
};
struct Exact::Data {
  std::variant<Dyadic, Rational, Interval> v;  // Rational: a point, what a division gives
};

namespace {

Dyadic reduced(Integer m, std::int64_t e) {
  if (m == 0) return {};
  const auto zeros = static_cast<std::int64_t>(mp::lsb(m < 0 ? Integer(-m) : m));
  if (zeros) m >>= zeros;
  return {std::move(m), e + zeros};
}
Dyadic dyadic(double v) {
  ensure(std::isfinite(v), "an exact value must be finite");
  int e = 0;
  const auto m = static_cast<std::int64_t>(std::ldexp(std::frexp(v, &e), 53));
  return reduced(Integer(m), e - 53);
}
/// Both as multiples of one power of two.
std::pair<Integer, Integer> aligned(const Dyadic& a, const Dyadic& b, std::int64_t& e) {
  e = std::min(a.e, b.e);
  return {a.m << (a.e - e), b.m << (b.e - e)};
}
Rational rational(const Dyadic& d) { return d.e >= 0 ? Rational(d.m << d.e) : Rational(d.m, Integer(1) << -d.e); }
const Dyadic* dyadic_of(const Exact& x) { return std::get_if<Dyadic>(&x.data().v); }
/// Of a point.
Rational point(const Exact& x) {
  if (const Dyadic* d = dyadic_of(x)) return rational(*d);
  return std::get<Rational>(x.data().v);
}
bool holds_point(const Exact& x) { return !std::holds_alternative<Interval>(x.data().v); }
Interval interval(const Exact& x) {
  if (const auto* i = std::get_if<Interval>(&x.data().v)) return *i;
  Rational r = point(x);
  return {r, r};
}
Real real(const Rational& r) { return Real(mp::numerator(r)) / Real(mp::denominator(r)); }

Rational rational(const Real& x) {
  if (x == 0) return 0;
  int e = 0;
  const Real f = frexp(x, &e);
  const Integer m = static_cast<Integer>(ldexp(f, 400));
  e -= 400;
  return e >= 0 ? Rational(m << e) : Rational(m, Integer(1) << -e);
}

Exact make(Rational lo, Rational hi) { return Exact(std::make_unique<Exact::Data>(Exact::Data{Interval{std::move(lo), std::move(hi)}})); }

/// f is monotone and given at 400 bits.
template <class F>
Exact monotone(const Exact& x, F f) {
  const auto widened = [&](const Rational& at, int side) {
    const Real v = f(real(at));
    const Real slack = ldexp(mp::abs(v), -300) + ldexp(Real(1), -1000);
    return rational(v + side * slack);
  };
  const Interval i = interval(x);
  return make(widened(i.lo, -1), widened(i.hi, 1));
}

Integer floor_of(const Rational& r) {
  const Integer n = mp::numerator(r), d = mp::denominator(r);
  Integer q = n / d;
  if (n < 0 && q * d != n) --q;
  return q;
}
Rational middle(const Exact& x) {
  const auto* i = std::get_if<Interval>(&x.data().v);
  return i ? Rational((i->lo + i->hi) / 2) : point(x);
}

}  // namespace

Exact::Exact() : data_(std::make_unique<Data>()) {}
Exact::Exact(double v) : data_(std::make_unique<Data>(Data{dyadic(v)})) {}
Exact::Exact(std::int64_t v) : data_(std::make_unique<Data>(Data{reduced(Integer(v), 0)})) {}
Exact::Exact(const Exact& b) : data_(std::make_unique<Data>(*b.data_)) {}
Exact::Exact(Exact&&) noexcept = default;
Exact& Exact::operator=(const Exact& b) { return *data_ = *b.data_, *this; }
Exact& Exact::operator=(Exact&&) noexcept = default;
Exact::Exact(std::unique_ptr<Data> d) : data_(std::move(d)) {}
Exact::~Exact() = default;

bool Exact::is_point() const {
  const auto* i = std::get_if<Interval>(&data_->v);
  return !i || i->lo == i->hi;
}
Exact& Exact::operator+=(const Exact& b) {
  if (const Dyadic *x = dyadic_of(*this), *y = dyadic_of(b); x && y) {
    std::int64_t e = 0;
    auto [m, n] = aligned(*x, *y, e);
    m += n;
    data_->v = reduced(std::move(m), e);
  } else if (holds_point(*this) && holds_point(b)) {
    data_->v = Rational(point(*this) + point(b));
  } else {
    const Interval i = interval(*this), j = interval(b);
    data_->v = Interval{i.lo + j.lo, i.hi + j.hi};
  }
  return *this;
}
Exact& Exact::operator-=(const Exact& b) { return *this += -b; }
Exact& Exact::operator*=(const Exact& b) {
  if (const Dyadic *x = dyadic_of(*this), *y = dyadic_of(b); x && y) {
    data_->v = x->m == 0 || y->m == 0 ? Dyadic{} : Dyadic{x->m * y->m, x->e + y->e};
  } else if (holds_point(*this) && holds_point(b)) {
    data_->v = Rational(point(*this) * point(b));
  } else {
    const Interval i = interval(*this), j = interval(b);
    const Rational p[] = {i.lo * j.lo, i.lo * j.hi, i.hi * j.lo, i.hi * j.hi};
    data_->v = Interval{*std::min_element(p, p + 4), *std::max_element(p, p + 4)};
  }
  return *this;
}
Exact& Exact::operator/=(const Exact& b) {
  if (const Dyadic *x = dyadic_of(*this), *y = dyadic_of(b); x && y && (y->m == 1 || y->m == -1)) {
    data_->v = x->m == 0 ? Dyadic{} : Dyadic{x->m * y->m, x->e - y->e};
    return *this;
  }
  const Interval j = interval(b);
  ensure(j.lo > 0 || j.hi < 0, "division by an exact value that may be zero");
  if (holds_point(*this) && holds_point(b)) {
    data_->v = Rational(point(*this) / j.lo);
    return *this;
  }
  return *this *= make(1 / j.hi, 1 / j.lo);
}
Exact Exact::operator-() const {
  if (const Dyadic* x = dyadic_of(*this)) return Exact(std::make_unique<Data>(Data{Dyadic{-x->m, x->e}}));
  if (holds_point(*this)) return Exact(std::make_unique<Data>(Data{Rational(-point(*this))}));
  const Interval i = interval(*this);
  return make(-i.hi, -i.lo);
}

bool Exact::certainly_less(const Exact& b) const { return interval(*this).hi < interval(b).lo; }
bool Exact::same_point(const Exact& b) const {
  if (const Dyadic *x = dyadic_of(*this), *y = dyadic_of(b); x && y) return *x == *y;
  return is_point() && b.is_point() && interval(*this).lo == interval(b).lo;
}
int Exact::compare_middle(const Exact& b) const {
  if (const Dyadic *x = dyadic_of(*this), *y = dyadic_of(b); x && y) {
    std::int64_t e = 0;
    const auto [m, n] = aligned(*x, *y, e);
    return m < n ? -1 : m == n ? 0 : 1;
  }
  const Rational x = middle(*this), y = middle(b);
  return x < y ? -1 : x == y ? 0 : 1;
}

double Exact::to_double() const {
  const Rational m = middle(*this);
  return static_cast<double>(real(m));
}
std::int64_t Exact::floor() const {
  const Integer f = floor_of(interval(*this).lo), limit = Integer(1) << 62;
  return static_cast<std::int64_t>(f > limit ? limit : f < -limit ? Integer(-limit) : f);
}
std::string Exact::fraction() const {
  const Rational m = middle(*this);
  return mp::denominator(m) == 1 ? mp::numerator(m).str() : mp::numerator(m).str() + "/" + mp::denominator(m).str();
}
std::string Exact::decimal(int digits) const {
  const Rational m = middle(*this);
  const Rational size = m < 0 ? Rational(-m) : m;
  Integer scale = 1;
  for (int i = 0; i < digits; ++i) scale *= 10;
  const Rational scaled = size * scale;
  const Integer cut = floor_of(scaled + Rational(1, 2));
  std::string s = cut.str();
  if (static_cast<int>(s.size()) <= digits) s.insert(0, static_cast<std::size_t>(digits) + 1 - s.size(), '0');
  if (digits > 0) s.insert(s.size() - static_cast<std::size_t>(digits), ".");
  const bool whole = Rational(cut) == scaled && is_point();
  if (whole && digits > 0) {
    s.erase(s.find_last_not_of('0') + 1);
    if (s.back() == '.') s.pop_back();
  }
  return (m < 0 && cut != 0 ? "-" : "") + s;
}

// As a rational a number has as many digits as its size asks for: exp(-1e9) would have 400 million. What is below 2^-2885 is an interval that
// begins with 0; what is above the inverse is asked for by nothing here (sigmoid and tanh take the other sign's) and refused.
Exact exp(const Exact& x) {
  constexpr int far = 2000;
  const Interval i = interval(x);
  if (i.hi < -far) return make(0, Rational(Integer(1), Integer(1) << far));
  if (i.hi > 65536 || i.lo < -65536) throw Error("exact form", "found the exponential of " + std::to_string(x.to_double()) + ", expected one of at most 65536");
  return monotone(x, [](const Real& v) { return mp::exp(v); });
}
Exact sigmoid(const Exact& x) {
  if (x < Exact(0)) return Exact(1) - sigmoid(-x);
  return Exact(1) / (Exact(1) + exp(-x));
}
Exact expm1(const Exact& x) { return exp(x) - Exact(1); }
Exact log(const Exact& x) { return monotone(x, [](const Real& v) { return mp::log(v); }); }
Exact tanh(const Exact& x) {
  if (x < Exact(0)) return -tanh(-x);
  return Exact(2) / (Exact(1) + exp(x * Exact(-2))) - Exact(1);
}
Exact sqrt(const Exact& x) { return monotone(x, [](const Real& v) { return mp::sqrt(v < 0 ? Real(0) : v); }); }

// erf by its series 2/sqrt(pi) * sum (-1)^n x^(2n+1) / (n! (2n+1)); past |x| = 12 it is 1 within 2^-200.
Exact erf(const Exact& x) {
  const auto at = [](const Real& v) -> Real {
    if (mp::abs(v) > 12) return v < 0 ? Real(-1) : Real(1);
    Real power = v, sum = v;
    const Real square = v * v;
    for (int n = 1; n < 2000; ++n) {
      power *= -square / n;
      const Real term = power / (2 * n + 1);
      sum += term;
      if (mp::abs(term) < ldexp(Real(1), -380)) break;
    }
    static const Real pi = acos(Real(-1));
    return 2 * sum / mp::sqrt(pi);
  };
  const Rational slack(Integer(1), Integer(1) << 120);  // the series cancels: at |x| <= 12 its terms stay below 2^205
  const Interval i = interval(x);
  return make(rational(at(real(i.lo))) - slack, rational(at(real(i.hi))) + slack);
}

Exact min(const Exact& a, const Exact& b) { return b < a ? b : a; }
Exact max(const Exact& a, const Exact& b) { return a < b ? b : a; }
Exact abs(const Exact& a) { return a < Exact(0) ? -a : a; }
bool operator<(const Exact& a, const Exact& b) { return a.compare_middle(b) < 0; }
bool operator>(const Exact& a, const Exact& b) { return a.compare_middle(b) > 0; }
bool operator<=(const Exact& a, const Exact& b) { return a.compare_middle(b) <= 0; }
bool operator>=(const Exact& a, const Exact& b) { return a.compare_middle(b) >= 0; }

}  // namespace lastbit
