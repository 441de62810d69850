// gemmlowp.hpp: gemmlowp's fixed-point functions, in registers of 16 or 32 bits.
//
// A number with m integer bits in a register of b bits is raw / 2^(b - 1 - m). Products are saturating rounding doubling high
// multiplications (half up); left shifts saturate; right shifts round half away. fixedpoint/fixedpoint.h
#pragma once
#include <cstdint>

namespace lastbit::gemmlowp {

/// Saturating rounding doubling high multiply in a register of `bits`.
std::int64_t multiply(std::int64_t a, std::int64_t b, int bits);
/// raw * 2^exponent: saturated to the register upward, rounded half away downward. 16 places or more of 16 bits
/// come to -1 below zero, else 1.
std::int64_t multiply_by_power_of_two(std::int64_t raw, int exponent, int bits);
/// e^a for a <= 0 with m integer bits; the result has none.
std::int64_t exp_on_negative_values(std::int64_t a, int m, int bits);
/// 1 / (1 + a), (1 - a) / (1 + a) for a in (0, 1), by three Newton steps.
std::int64_t one_over_one_plus(std::int64_t a, int bits);
std::int64_t one_minus_over_one_plus(std::int64_t a, int bits);
std::int64_t logistic(std::int64_t a, int m, int bits);
std::int64_t tanh(std::int64_t a, int m, int bits);

/// 1 / x for x > 0 with m integer bits in 32: the value 1 / (1 + fraction) and by how many bits x lies above 1.
struct Reciprocal {
  std::int64_t scale;
  int bits_over_unit;
};
Reciprocal reciprocal(std::int64_t x, int m);

}  // namespace lastbit::gemmlowp
