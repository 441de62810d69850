// fixed.hpp: fixed-point multiplication as gemmlowp, TFLite, ruy, CMSIS-NN, XNNPACK and TOSA do it.
#pragma once
#include <cstdint>
#include "lib/num/round.hpp"

namespace lastbit {

/// A real multiplier as an integer and a power of two: value = m * 2^(shift - 31), m in [2^30, 2^31) or 0.
struct FixedMultiplier {
  std::int32_t m = 0;
  int shift = 0;
};

/// tflite/kernels/internal/quantization_util.cc, QuantizeMultiplier: mantissa rounded half away from zero to 31 bits;
/// below 2^-32 the multiplier is flushed to zero. TOSA's 16-bit multipliers keep 15 bits (the low 16 of m are 0).
FixedMultiplier quantize_multiplier(double real, int bits = 31);
/// The real number that it stands for, exactly.
double value(FixedMultiplier);

/// The ways two integers are multiplied and shifted back. In all of them x is shifted left by max(shift, 0) first.
enum class FixedRule {
  double_away,  // half up at 2^-31, then half away at 2^-e     TFLite reference, CMSIS-NN, gemmlowp, TOSA double round
  double_up,    // half up at 2^-31, then half up               ruy x86, NEON vqrdmulh + vrshl
  single,       // once, half up                                ruy Arm, TFLITE_SINGLE_ROUNDING, TOSA single round
  floor_up,     // floor at 2^-31, then half up                 TFLite avx2_utils
  reduced,      // 16-bit multiplier on a 64-bit accumulator    TFLite int16x8 with int64 bias
  double_away_saturating,  // the left shift saturates        gemmlowp
  scale16,      // the same, multiplier rounded once to 15 bits TOSA apply_scale_16
  rndnu,        // 24 bits of a float32, once, half up          XNNPACK uint8 on NEON
  rndnu16,      // 15 bits after a rounding shift to int16      XNNPACK uint8 on NEON without dot product
  q8,           // 1/256ths, once, half up                      XNNPACK integers to integers
};

/// x * multiplier rounded by the rule. x << shift wraps to int32 where the runtime does that in int32 (all but single and
/// reduced). Sets `tie` when a rounding met an exact half, `wrapped` when the shift overflowed.
/// rndnu, rndnu16 and q8 take a float32 scale: see below.
/// Source: tflite/kernels/internal/common.cc MultiplyByQuantizedMultiplier; ruy/kernel_avx2.cc apply_multiplier.
std::int64_t multiply_fixed(FixedRule rule, std::int64_t x, FixedMultiplier by, bool& tie, bool& wrapped);

/// XNNPACK requantization.h rndnu: the 24-bit mantissa of a float32 scale, one half-up rounding.
std::int64_t multiply_rndnu(std::int64_t x, float scale, bool& tie);
/// rndnu and q8 as the multiplier with which FixedRule::single gives the same.
FixedMultiplier rndnu_multiplier(float scale);
FixedMultiplier q8_multiplier(float scale);
/// XNNPACK rndnu16: a Q15 multiplier after a rounding pre-shift to int16.
std::int64_t multiply_rndnu16(std::int64_t x, float scale, bool& tie);
/// XNNPACK microparams-init.c, xnn_init_qs8_cvt_scalar_params: lrintf(256 * scale), one half-up rounding.
std::int64_t multiply_q8(std::int64_t x, float scale, bool& tie);

/// gemmlowp SaturatingRoundingDoublingHighMul, int32: floor((a*b + 2^30) / 2^31), MIN*MIN saturates.
constexpr std::int32_t doubling_high_multiply(std::int32_t a, std::int32_t b) {
  const std::int64_t ab = static_cast<std::int64_t>(a) * b;
  return static_cast<std::int32_t>(saturate((Wide{ab} + (std::int64_t{1} << 30)) >> 31, 32));
}
/// gemmlowp RoundingDivideByPOT: x / 2^e, half away from zero; 0 <= e <= 31.
constexpr std::int32_t divide_by_power_of_two(std::int32_t x, int e) {
  return static_cast<std::int32_t>(shift_right(x, e, Rounding::half_away).value);
}

}  // namespace lastbit
