// float_sum.cpp: see float_sum.hpp.
#include "lib/rules/float_sum.hpp"

#include <bit>
#include <cmath>
#include <cstdint>

namespace lastbit {
namespace {

float next(float x, float to) { return std::nextafter(x, to); }

/// Value of the lowest set bit of a finite x other than 0.
double lowest_bit(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t exponent = (bits >> 23) & 0xFF, mantissa = (bits & 0x7FFFFF) | (exponent ? 0x800000u : 0u);
  return std::ldexp(1.0, static_cast<int>(exponent ? exponent : 1) - 150 + std::countr_zero(mantissa));
}

}  // namespace

FloatRange inside(double lo, double hi) {
  float l = static_cast<float>(lo), h = static_cast<float>(hi);
  if (static_cast<double>(l) < lo) l = next(l, HUGE_VALF);
  if (static_cast<double>(h) > hi) h = next(h, -HUGE_VALF);
  return l <= h ? FloatRange{l, h} : FloatRange{h, l};  // none inside: the neighbours on both sides
}

FloatRange float_sum(std::span<const float> terms) {
  double sum = 0, size = 0, grain = HUGE_VAL;
  for (const float t : terms) {
    sum += static_cast<double>(t);
    size += std::fabs(static_cast<double>(t));
    if (t != 0) grain = std::fmin(grain, lowest_bit(t));
  }
  const double n = static_cast<double>(terms.size());
  // All terms are multiples of `grain`: partial sums up to 2^24 grains are held exactly.
  if (size <= grain * 0x1p24) return {static_cast<float>(sum), static_cast<float>(sum)};
  const double u = 0x1p-24;
  if (!((n - 1) * u < 0.5)) return {-HUGE_VALF, HUGE_VALF};
  const double gamma = (n - 1) * u / (1 - (n - 1) * u);
  const double bound = size * (gamma + n * 0x1p-52);  // and this sum's own rounding, in float64
  return inside(sum - bound, sum + bound);
}

}  // namespace lastbit
