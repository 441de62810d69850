// tracked.hpp: a float64 that knows how far it may be from the real number: the certified filter of the exact form.
//
// |value - exact| <= error, with every operation adding half an ulp of its own result (bounded by 2^-52 |result|) to what its
// operands bring. Elementary functions of the C library are taken to err by less than 4 ulp.
#pragma once
#include <cmath>

#include "lib/num/exact.hpp"

namespace lastbit {

struct Tracked {
  double value = 0, error = 0;
  Tracked() = default;
  Tracked(double v, double e = 0) : value(v), error(e) {}
  Tracked(float v) : value(static_cast<double>(v)) {}
  Tracked(int v) : value(v) {}
  Tracked(std::int64_t v) : value(static_cast<double>(v)), error(std::fabs(value) > 0x1p53 ? std::fabs(value) * 0x1p-52 : 0) {}

  static Tracked rounded(double v, double e) { return {v, (e + std::fabs(v) * 0x1p-52) * (1 + 0x1p-50) + 0x1p-1022}; }
  friend Tracked operator+(Tracked a, Tracked b) { return rounded(a.value + b.value, a.error + b.error); }
  friend Tracked operator-(Tracked a, Tracked b) { return rounded(a.value - b.value, a.error + b.error); }
  friend Tracked operator*(Tracked a, Tracked b) {
    return rounded(a.value * b.value, std::fabs(a.value) * b.error + std::fabs(b.value) * a.error + a.error * b.error);
  }
  friend Tracked operator/(Tracked a, Tracked b) {
    const double room = std::fabs(b.value) - b.error;
    if (!(room > 0)) return {a.value / b.value, HUGE_VAL};
    const double q = a.value / b.value;
    return rounded(q, (a.error + std::fabs(q) * b.error) / room);
  }
  Tracked operator-() const { return {-value, error}; }
  Tracked& operator+=(Tracked b) { return *this = *this + b; }
  friend bool operator<(Tracked a, Tracked b) { return a.value < b.value; }
  friend bool operator>(Tracked a, Tracked b) { return a.value > b.value; }
  friend bool operator<=(Tracked a, Tracked b) { return a.value <= b.value; }
  friend bool operator>=(Tracked a, Tracked b) { return a.value >= b.value; }
};

// Functions that an operator's real formula may use, for float, double, Tracked and Exact (exact.hpp) alike. The float ones
// are computed in float64 and rounded once, so that they do not depend on a host's float32 library.
#define LASTBIT_REAL_FUNCTION(f)                                                               \
  inline double f(double x) { return std::f(x); }                                              \
  inline float f(float x) { return static_cast<float>(std::f(static_cast<double>(x))); }
LASTBIT_REAL_FUNCTION(exp)
LASTBIT_REAL_FUNCTION(expm1)
LASTBIT_REAL_FUNCTION(log)
LASTBIT_REAL_FUNCTION(tanh)
LASTBIT_REAL_FUNCTION(erf)
LASTBIT_REAL_FUNCTION(sqrt)
#undef LASTBIT_REAL_FUNCTION
template <class T> requires std::is_arithmetic_v<T> T max(T a, T b) { return a < b ? b : a; }
template <class T> requires std::is_arithmetic_v<T> T min(T a, T b) { return b < a ? b : a; }
inline double abs(double x) { return std::fabs(x); }
inline float abs(float x) { return std::fabs(x); }

inline Tracked exp(Tracked x) { const double v = std::exp(x.value); return Tracked::rounded(v, v * (std::expm1(x.error) + 0x1p-50)); }
inline Tracked expm1(Tracked x) { const double v = std::expm1(x.value); return Tracked::rounded(v, (std::fabs(v) + 1) * std::expm1(x.error) + std::fabs(v) * 0x1p-50); }
inline Tracked log(Tracked x) { const double v = std::log(x.value), room = x.value - x.error; return Tracked::rounded(v, room > 0 ? x.error / room + std::fabs(v) * 0x1p-50 : HUGE_VAL); }
inline Tracked tanh(Tracked x) { const double v = std::tanh(x.value); return Tracked::rounded(v, x.error + std::fabs(v) * 0x1p-50); }
inline Tracked erf(Tracked x) { const double v = std::erf(x.value); return Tracked::rounded(v, 1.13 * x.error + std::fabs(v) * 0x1p-50); }
inline Tracked sqrt(Tracked x) { const double v = std::sqrt(x.value), room = x.value - x.error; return Tracked::rounded(v, room > 0 ? x.error / (2 * std::sqrt(room)) : std::sqrt(x.error) + x.error); }
inline Tracked max(Tracked a, Tracked b) { return {a.value < b.value ? b.value : a.value, a.error > b.error ? a.error : b.error}; }
inline Tracked min(Tracked a, Tracked b) { return {b.value < a.value ? b.value : a.value, a.error > b.error ? a.error : b.error}; }
inline Tracked abs(Tracked a) { return {std::fabs(a.value), a.error}; }

}  // namespace lastbit
