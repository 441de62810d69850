// random.hpp: the numbers of a suite. Specified in docs/golden.md, so that anybody can draw them again: no part of it is left to
// a standard library, and every float is formed exactly.
#pragma once
#include <cstdint>
#include <string_view>

#include "lib/num/int.hpp"

namespace lastbit {

/// SplitMix64 (Steele, Lea, Flood 2014): state += 0x9E3779B97F4A7C15, then two multiply-xorshift rounds.
class Random {
 public:
  /// A stream of its own for each label: the state starts at seed xor FNV-1a-64 of the label's bytes.
  Random(std::uint64_t seed, std::string_view label) : state_(seed ^ fnv1a(label)) {}

  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
  }
  /// 0 ... n - 1: the high 64 bits of next() * n (multiply-shift, no rejection); n >= 1.
  std::uint64_t below(std::uint64_t n) {
    __extension__ typedef unsigned __int128 Product;
    return static_cast<std::uint64_t>(Product{next()} * n >> 64);
  }
  std::int64_t between(std::int64_t lo, std::int64_t hi) { return lo + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(hi - lo) + 1)); }
  /// A float32 scale: a 24-bit mantissa, between(2^23, 2^24 - 1), times 2^exponent.
  double scale(int exponent) {
    double v = static_cast<double>(between(std::int64_t{1} << 23, (std::int64_t{1} << 24) - 1));
    for (; exponent > 0; --exponent) v *= 2;
    for (; exponent < 0; ++exponent) v /= 2;
    return v;
  }

 private:
  static constexpr std::uint64_t fnv1a(std::string_view s) {
    std::uint64_t h = 0xCBF29CE484222325u;
    for (const char c : s) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
    return h;
  }
  std::uint64_t state_;
};

}  // namespace lastbit
