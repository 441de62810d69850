// exact.cpp: rationals by Boost.Multiprecision. Irrational functions are evaluated at 400 bits and widened by 2^-300 of
// their size: Boost's cpp_bin_float functions err by a few units in the last of 400 bits, so the interval is certain.
#include "lib/num/exact.hpp"

#include <boost/multiprecision/cpp_bin_float.hpp>
#include <boost/multiprecision/cpp_int.hpp>

#include "lib/error.hpp"

namespace lastbit {

namespace mp = boost::multiprecision;
using Rational = mp::cpp_rational;
using Integer = mp::cpp_int;
using Real = mp::number<mp::cpp_bin_float<400, mp::digit_base_2>, mp::et_off>;

struct Exact::Data {
  Rational lo, hi;
};

namespace {

Rational rational(double v) {
  ensure(std::isfinite(v), "an exact value must be finite");
  int e = 0;
  const auto m = static_cast<std::int64_t>(std::ldexp(std::frexp(v, &e), 53));
  e -= 53;
  return e >= 0 ? Rational(Integer(m) << e) : Rational(Integer(m), Integer(1) << -e);
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

Exact make(Rational lo, Rational hi) { return Exact(std::make_unique<Exact::Data>(Exact::Data{std::move(lo), std::move(hi)})); }

/// f is monotone and given at 400 bits.
template <class F>
Exact monotone(const Exact& x, F f) {
  const auto widened = [&](const Rational& at, int side) {
    const Real v = f(real(at));
    const Real slack = ldexp(mp::abs(v), -300) + ldexp(Real(1), -1000);
    return rational(v + side * slack);
  };
  return make(widened(x.data().lo, -1), widened(x.data().hi, 1));
}

Integer floor_of(const Rational& r) {
  const Integer n = mp::numerator(r), d = mp::denominator(r);
  Integer q = n / d;
  if (n < 0 && q * d != n) --q;
  return q;
}
Rational middle(const Exact& x) { return (x.data().lo + x.data().hi) / 2; }

}  // namespace

Exact::Exact() : data_(std::make_unique<Data>()) {}
Exact::Exact(double v) : data_(std::make_unique<Data>(Data{rational(v), rational(v)})) {}
Exact::Exact(std::int64_t v) : data_(std::make_unique<Data>(Data{Rational(v), Rational(v)})) {}
Exact::Exact(const Exact& b) : data_(std::make_unique<Data>(*b.data_)) {}
Exact::Exact(Exact&&) noexcept = default;
Exact& Exact::operator=(const Exact& b) { return *data_ = *b.data_, *this; }
Exact& Exact::operator=(Exact&&) noexcept = default;
Exact::Exact(std::unique_ptr<Data> d) : data_(std::move(d)) {}
Exact::~Exact() = default;

bool Exact::is_point() const { return data_->lo == data_->hi; }
Exact& Exact::operator+=(const Exact& b) {
  const bool point = is_point() && b.is_point();
  data_->lo += b.data_->lo;
  if (point) data_->hi = data_->lo; else data_->hi += b.data_->hi;
  return *this;
}
Exact& Exact::operator-=(const Exact& b) { return *this += -b; }
Exact& Exact::operator*=(const Exact& b) {
  if (is_point() && b.is_point()) {
    data_->lo *= b.data_->lo;
    data_->hi = data_->lo;
    return *this;
  }
  const Rational p[] = {data_->lo * b.data_->lo, data_->lo * b.data_->hi, data_->hi * b.data_->lo, data_->hi * b.data_->hi};
  data_->lo = *std::min_element(p, p + 4);
  data_->hi = *std::max_element(p, p + 4);
  return *this;
}
Exact& Exact::operator/=(const Exact& b) {
  ensure(b.data_->lo > 0 || b.data_->hi < 0, "division by an exact value that may be zero");
  return *this *= make(1 / b.data_->hi, 1 / b.data_->lo);
}
Exact Exact::operator-() const { return make(-data_->hi, -data_->lo); }

bool Exact::certainly_less(const Exact& b) const { return data_->hi < b.data_->lo; }
bool Exact::same_point(const Exact& b) const { return is_point() && b.is_point() && data_->lo == b.data_->lo; }
int Exact::compare_middle(const Exact& b) const {
  const Rational x = middle(*this), y = middle(b);
  return x < y ? -1 : x == y ? 0 : 1;
}

double Exact::to_double() const {
  const Rational m = middle(*this);
  return static_cast<double>(real(m));
}
std::int64_t Exact::floor() const {
  const Integer f = floor_of(data_->lo), limit = Integer(1) << 62;
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

Exact exp(const Exact& x) { return monotone(x, [](const Real& v) { return mp::exp(v); }); }
Exact expm1(const Exact& x) { return exp(x) - Exact(1); }
Exact log(const Exact& x) { return monotone(x, [](const Real& v) { return mp::log(v); }); }
Exact tanh(const Exact& x) { return Exact(1) - Exact(2) / (exp(x * Exact(2)) + Exact(1)); }
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
  return make(rational(at(real(x.data().lo))) - slack, rational(at(real(x.data().hi))) + slack);
}

Exact min(const Exact& a, const Exact& b) { return b < a ? b : a; }
Exact max(const Exact& a, const Exact& b) { return a < b ? b : a; }
Exact abs(const Exact& a) { return a < Exact(0) ? -a : a; }
bool operator<(const Exact& a, const Exact& b) { return a.compare_middle(b) < 0; }
bool operator>(const Exact& a, const Exact& b) { return a.compare_middle(b) > 0; }
bool operator<=(const Exact& a, const Exact& b) { return a.compare_middle(b) <= 0; }
bool operator>=(const Exact& a, const Exact& b) { return a.compare_middle(b) >= 0; }

}  // namespace lastbit
