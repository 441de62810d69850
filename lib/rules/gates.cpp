// gates.cpp: see gates.hpp.
#include "lib/rules/gates.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace lastbit {
namespace {

/// Distance of float32 neighbours in the binade of v.
double ulp(double v) {
  int exponent = 0;
  std::frexp(std::max(std::fabs(v), 0x1p-126), &exponent);
  return std::ldexp(1.0, exponent - 24);
}

/// Every float32 within n ulp of [lo, hi], whose own error is far below an ulp.
FloatRange within(double lo, double hi, double n) {
  const double room = n * ulp(std::max(std::fabs(lo), std::fabs(hi))) * (1 + 0x1p-20);
  return inside(lo - room, hi + room);
}

}  // namespace

FloatRange operator+(FloatRange a, FloatRange b) { return {a.lo + b.lo, a.hi + b.hi}; }

FloatRange operator*(FloatRange a, FloatRange b) {
  const float p = a.lo * b.lo, q = a.lo * b.hi, r = a.hi * b.lo, s = a.hi * b.hi;
  return {std::min(std::min(p, q), std::min(r, s)), std::max(std::max(p, q), std::max(r, s))};
}

FloatRange sigmoid_range(float x) {
  const double e = std::exp(-static_cast<double>(x));
  if (!(e <= 0x1p128)) return x != x ? FloatRange{x, x} : FloatRange{0.0f, 0.0f};
  const FloatRange exp = e > 0x1.fffffcp127 ? FloatRange{0x1.fffffcp127f, HUGE_VALF} : e < 0x1p-100 ? FloatRange{0.0f, 0x1p-99f} : within(e, e, 1);
  const float low = 1.0f + exp.hi, high = 1.0f + exp.lo;
  return {1.0f / low, 1.0f / high};
}

FloatRange tanh_range(FloatRange x) {
  if (x.lo != x.lo || x.hi != x.hi) return x;
  const FloatRange r = within(std::tanh(static_cast<double>(x.lo)), std::tanh(static_cast<double>(x.hi)), 2);
  return {std::max(r.lo, -1.0f), std::min(r.hi, 1.0f)};
}

LstmStep lstm_step(float i, float f, float g, float o, FloatRange c) {
  const FloatRange next = sigmoid_range(f) * c + sigmoid_range(i) * tanh_range({g, g});
  return {sigmoid_range(o) * tanh_range(next), next};
}

FloatRange gru_step(float r, float z, float input, float hidden, float h) {
  const FloatRange update = sigmoid_range(z);
  const FloatRange n = tanh_range(FloatRange{input, input} + FloatRange{hidden, hidden} * sigmoid_range(r));
  // n stands twice in (h - n) * z + n: every pair of float32 values is tried, there are few.
  FloatRange out{HUGE_VALF, -HUGE_VALF};
  std::int64_t tried = 0;
  for (float a = n.lo; a <= n.hi && tried < 65536; a = std::nextafter(a, HUGE_VALF))
    for (float b = update.lo; b <= update.hi && tried < 65536; b = std::nextafter(b, HUGE_VALF), ++tried) {
      const float away = h - a, part = away * b, v = part + a;
      out = {std::min(out.lo, v), std::max(out.hi, v)};
    }
  if (tried < 65536 && tried > 0) return out;
  return (FloatRange{h, h} + FloatRange{-n.hi, -n.lo}) * update + n;
}

}  // namespace lastbit
