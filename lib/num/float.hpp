// float.hpp: float32 steps, each rounded once. The library is compiled with -ffp-contract=off: no product and sum fuse
// unless `fused` is written.
#pragma once
#include <bit>
#include <cfloat>
#include <cmath>
#include <cstdint>
#include <limits>
#include "lib/num/round.hpp"

namespace lastbit {

static_assert(std::numeric_limits<float>::is_iec559 && std::numeric_limits<double>::is_iec559 && FLT_EVAL_METHOD == 0,
              "float and double must be IEEE binary32 and binary64, evaluated in their own precision");

/// a * b + c, rounded once (vfmadd, fmla).
inline float fused(float a, float b, float c) { return std::fma(a, b, c); }

/// 1 / x as a runtime's float32 division gives it.
constexpr float inverse(float x) { return 1.0f / x; }

/// cvtps2dq: nearest, ties to even; NaN and whatever int32 cannot hold become INT32_MIN.
constexpr std::int32_t cvtps2dq(float x) {
  if (!(x >= -2147483648.0f && x < 2147483648.0f)) return std::numeric_limits<std::int32_t>::min();
  return static_cast<std::int32_t>(rne(x));
}
/// vcvtnq_s32_f32 (Arm): nearest, ties to even; saturates, NaN becomes 0.
constexpr std::int32_t vcvtn(float x) {
  if (x != x) return 0;
  if (x >= 2147483648.0f) return std::numeric_limits<std::int32_t>::max();
  if (x < -2147483648.0f) return std::numeric_limits<std::int32_t>::min();
  return static_cast<std::int32_t>(rne(x));
}

/// 2^e, exactly: std::ldexp(1, e) without the call.
inline double power_of_two(int e) {
  constexpr int bias = 1023, digits = 52;
  return e > -bias && e <= bias ? std::bit_cast<double>(static_cast<std::uint64_t>(e + bias) << digits) : std::ldexp(1.0, e);
}

/// Position of a float32 on the line of all float32 values: neighbours differ by 1, -0 and +0 are one. NaN has no place.
constexpr std::int64_t ordinal(float x) {
  const auto bits = std::bit_cast<std::int32_t>(x);
  return bits >= 0 ? bits : static_cast<std::int64_t>(std::numeric_limits<std::int32_t>::min()) - bits;
}

}  // namespace lastbit
