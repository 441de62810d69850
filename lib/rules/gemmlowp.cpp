// gemmlowp.cpp: see gemmlowp.hpp.
#include "lib/rules/gemmlowp.hpp"

#include <array>
#include <bit>

#include "lib/num/round.hpp"

namespace lastbit::gemmlowp {
namespace {

constexpr std::int64_t most(int bits) { return (std::int64_t{1} << (bits - 1)) - 1; }
constexpr std::int64_t halved(std::int64_t v, int e) { return static_cast<std::int64_t>(shift_right(v, e, Rounding::half_away).value); }
/// A constant given for 32 bits.
constexpr std::int64_t constant(std::int64_t raw32, int bits) { return bits == 32 ? raw32 : halved(raw32, 32 - bits); }

/// e^a for a in [-1/4, 0): Taylor around -1/8.
std::int64_t exp_of_quarter(std::int64_t a, int bits) {
  const std::int64_t at = constant(1895147668, bits), third = constant(715827883, bits);
  const std::int64_t x = a + (std::int64_t{1} << (bits - 4)), x2 = multiply(x, x, bits), x3 = multiply(x2, x, bits), x4 = multiply(x2, x2, bits);
  const std::int64_t tail = halved(multiply(halved(x4, 2) + x3, third, bits) + x2, 1);
  const std::int64_t sum = at + multiply(at, x + tail, bits);
  return bits == 16 ? saturate(sum, 16) : wrap(sum, bits);
}

/// 1 / (half of (1 + a)) with two integer bits: Newton from 48/17 - 32/17 d.
std::int64_t newton(std::int64_t a, int bits) {
  const std::int64_t sum = a + most(bits), half = (sum + (sum >= 0 ? 1 : -1)) / 2, one = std::int64_t{1} << (bits - 3);
  std::int64_t x = constant(1515870810, bits) + multiply(half, constant(-1010580540, bits), bits);
  for (int i = 0; i < 3; ++i) x = wrap(x + multiply_by_power_of_two(multiply(x, one - multiply(half, x, bits), bits), 2, bits), bits);
  return x;
}

}  // namespace

std::int64_t multiply(std::int64_t a, std::int64_t b, int bits) {
  return saturate((Wide{a} * b + (std::int64_t{1} << (bits - 2))) >> (bits - 1), bits);
}

std::int64_t multiply_by_power_of_two(std::int64_t raw, int exponent, int bits) {
  if (exponent <= -16 && bits == 16) return raw < 0 ? -1 : 1;  // RoundingDivideByPOT's mask is -1 in int16: the remainder is the value itself
  if (exponent <= 0) return halved(raw, -exponent);
  const std::int64_t bound = (std::int64_t{1} << (bits - 1 - exponent)) - 1;
  return raw > bound ? most(bits) : raw < -bound ? -most(bits) - 1 : raw * (std::int64_t{1} << exponent);
}

std::int64_t exp_on_negative_values(std::int64_t a, int m, int bits) {
  if (a == 0) return most(bits);
  const int fraction = bits - 1 - m;
  const std::int64_t quarter = std::int64_t{1} << (fraction - 2), below = (a & (quarter - 1)) - quarter, remainder = below - a;
  std::int64_t result = exp_of_quarter(multiply_by_power_of_two(below, m, bits), bits);
  constexpr std::array<std::int64_t, 7> steps{1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};  // e^-(2^k), k = -2..4
  for (int k = -2; k <= 4 && k < m; ++k)
    if (remainder & (std::int64_t{1} << (fraction + k))) result = multiply(result, constant(steps[static_cast<std::size_t>(k + 2)], bits), bits);
  if (m > 5 && a < -(std::int64_t{1} << (bits + 4 - m))) return 0;
  return result;
}

std::int64_t one_over_one_plus(std::int64_t a, int bits) { return multiply_by_power_of_two(newton(a, bits), 1, bits); }

std::int64_t one_minus_over_one_plus(std::int64_t a, int bits) { return multiply_by_power_of_two(newton(a, bits) - (std::int64_t{1} << (bits - 3)), 2, bits); }

std::int64_t logistic(std::int64_t a, int m, int bits) {
  if (a == 0) return std::int64_t{1} << (bits - 2);
  const std::int64_t positive = one_over_one_plus(exp_on_negative_values(a > 0 ? -a : a, m, bits), bits);
  return a > 0 ? positive : most(bits) - positive;
}

std::int64_t tanh(std::int64_t a, int m, int bits) {
  if (a == 0) return 0;
  const std::int64_t t = one_minus_over_one_plus(exp_on_negative_values(a < 0 ? a : -a, m + 1, bits), bits);
  return a < 0 ? -t : t;
}

Reciprocal reciprocal(std::int64_t x, int m) {
  const int headroom = std::countl_zero(static_cast<std::uint32_t>(x));
  const std::int64_t fraction = (x << headroom) - (std::int64_t{1} << 31);
  return {one_over_one_plus(fraction, 32), m - headroom};
}

}  // namespace lastbit::gemmlowp
