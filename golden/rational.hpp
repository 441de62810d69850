// rational.hpp: the operations of machines as sentences about rational numbers: a float32 step is the nearest multiple of 2^(e - 23),
// ties to even; a fixed-point rule is a product and its roundings. For the twins of golden suites; it shares nothing with lib/num
// but the big rationals.
#pragma once
#include <cstdint>
#include <string>

#include "lib/num/exact.hpp"

namespace lastbit::rational {

struct NotRational {};  // thrown by a step that has no rational value: the element is not judged

const Exact& power(int e);  // 2^e, kept
bool is_zero(const Exact&);
std::int64_t floor_of(const Exact&);  // of a value below 2^61 in size

enum class Ties { even, away, up, down, zero, floor, ceil };
/// The integer that a rational is brought to.
std::int64_t whole(const Exact&, Ties);
/// |v| lies in [2^e, 2^(e+1)).
int exponent_of(const Exact&);
/// One IEEE operation: the nearest float32, float64, ties to even.
Exact f32(const Exact&);
Exact f64(const Exact&);
/// The mantissa rounded to that many bits, half away from zero.
Exact mantissa(const Exact&, int bits);

/// Two's complement of so many bits; the nearest end of its range.
std::int64_t wrapped(std::int64_t v, int bits);
std::int64_t wrapped(const Exact&, int bits);
std::int64_t saturated(const Exact&, int bits);

/// QuantizeMultiplier: real = m * 2^(shift - bits), m of so many bits, half away; m = 0 below 2^-32.
struct Multiplier {
  std::int64_t m = 0;
  int shift = 0;
};
Multiplier multiplier(const Exact& real, int bits = 31);
/// The fixed-point rules. x is an integer, `real` the multiplier before it is quantized.
std::int64_t fixed(const std::string& rule, std::int64_t x, const Exact& real);
/// The same by a multiplier that is quantized already (rules of two roundings, and "single").
std::int64_t fixed(const std::string& rule, std::int64_t x, const Multiplier&);

}  // namespace lastbit::rational
