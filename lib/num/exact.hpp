// exact.hpp: the real number, for the exact form.
//
// An Exact is a closed interval [lo, hi] of rationals. Sums, products and quotients of points stay points, so everything
// built from integers and scales (dyadic rationals) is exact. exp, tanh, erf, sqrt, log give certified intervals far
// narrower than any rounding boundary needs. Opaque on purpose: Boost.Multiprecision is compiled in exact.cpp alone.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

namespace lastbit {

class Exact {
 public:
  Exact();                        // 0
  Exact(double v);                // the double's own value; must be finite
  Exact(std::int64_t v);
  Exact(int v) : Exact(static_cast<std::int64_t>(v)) {}
  Exact(const Exact&);
  Exact(Exact&&) noexcept;
  Exact& operator=(const Exact&);
  Exact& operator=(Exact&&) noexcept;
  ~Exact();

  Exact& operator+=(const Exact&);
  Exact& operator-=(const Exact&);
  Exact& operator*=(const Exact&);
  Exact& operator/=(const Exact&);  // the divisor must not contain 0
  friend Exact operator+(Exact a, const Exact& b) { return a += b; }
  friend Exact operator-(Exact a, const Exact& b) { return a -= b; }
  friend Exact operator*(Exact a, const Exact& b) { return a *= b; }
  friend Exact operator/(Exact a, const Exact& b) { return a /= b; }
  Exact operator-() const;

  bool is_point() const;
  bool certainly_less(const Exact& b) const;      // hi < b.lo
  bool same_point(const Exact& b) const;          // both points, equal
  /// Sign of the midpoint against b's midpoint: -1, 0, 1.
  int compare_middle(const Exact& b) const;

  double to_double() const;                       // nearest to the midpoint
  std::int64_t floor() const;                     // of lo; saturates at +-2^62
  std::string fraction() const;                   // "12345/678" (midpoint), "/1" left out
  std::string decimal(int digits) const;          // fixed notation, nearest, that many digits after the point

  struct Data;
  const Data& data() const { return *data_; }
  explicit Exact(std::unique_ptr<Data>);

 private:
  std::unique_ptr<Data> data_;
};

Exact exp(const Exact&);                          // of at most 65536
Exact expm1(const Exact&);
Exact log(const Exact&);
Exact tanh(const Exact&);
Exact sigmoid(const Exact&);                      // 1 / (1 + exp(-x))
Exact erf(const Exact&);
Exact sqrt(const Exact&);
Exact min(const Exact&, const Exact&);            // by midpoint; arguments are points in practice
Exact max(const Exact&, const Exact&);
Exact abs(const Exact&);
bool operator<(const Exact&, const Exact&);       // by midpoint, for piecewise definitions over points
bool operator>(const Exact&, const Exact&);
bool operator<=(const Exact&, const Exact&);
bool operator>=(const Exact&, const Exact&);

}  // namespace lastbit
