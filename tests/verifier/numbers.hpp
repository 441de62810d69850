// numbers.hpp: numbers that tests of the verifier draw, quantize and round by themselves.
#pragma once
#include <cmath>
#include <cstdint>
#include <vector>

#include "lib/tensor/tensor.hpp"

namespace lastbit::test {

using Integers = std::vector<std::int32_t>;

/// Per tensor, over the type's range.
inline Quantization qparams(float scale, int zero_point, DType d) {
  Quantization q;
  q.scale = {static_cast<double>(scale)}, q.zero_point = {static_cast<double>(zero_point)}, q.qmin = info(d).min, q.qmax = info(d).max;
  return q;
}

inline double half_even(double v) {
  const double f = std::floor(v), cut = v - f;
  return cut > 0.5 || (cut == 0.5 && std::fmod(f, 2.0) != 0) ? f + 1 : f;
}

/// Integers drawn evenly (xorshift64).
struct Draw {
  std::uint64_t state;
  std::int32_t operator()(std::int32_t lo, std::int32_t hi) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return lo + static_cast<std::int32_t>((state >> 33) % static_cast<std::uint64_t>(hi - lo + 1));
  }
  /// From 2^-5 to 2^-1.
  double scale() { return std::exp2(-5 + (*this)(0, 2000) / 500.0); }
};

}  // namespace lastbit::test
