// quantize_value.hpp: the rules by which runtimes turn a float32 into a stored integer.
#pragma once
#include <string>

#include "lib/layer/operator.hpp"

namespace lastbit {

/// s = scale, z = zero point, inv = f32(1 / f32(s)).
enum class QuantizeRule {
  inside_fused,     // clamp(cvtps(min(fma(x, inv, f32(z)), 2147483520)))   FBGEMM legacy, PyTorch 2.13.0 whole arrays ("A")
  inside,           // clamp(rne(f32(f32(x*inv) + f32(z))))                 PyTorch 2.13.0 quantize_val, tails ("A'"); NaN: the low bits of INT_MIN
  inside_wrap,      // clamp(wrap32(rne(f32(f32(x*inv) + f32(z)))))         PyTorch, float qparams: 3e9 gives qmin, -3e9 qmax
  outside,          // clamp(rne(f32(x*inv)) + z), saturating               PyTorch to 2.12 and from 2.14, ARM
  outside_int64,    // clamp64(int64(f32(f32(z) + nearbyint(f32(x*inv)))))  PyTorch without FBGEMM, and 4 or 2 bits: NaN, inf, >= 2^63 give qmin
  divide_even,      // clamp(rne(clamp(f32(x/s), qmin-z, qmax-z)) + z)      ONNX Runtime (NaN gives qmin)
  divide_even_wrap, // clamp(wrap32(cvtps2dq(f32(x/s)) + z))                ONNX Runtime, blocks, 2 bits, half bytes: 1e20 gives INT_MIN + z
  divide_away,      // clamp(round_half_away(f32(x/s)) + z)                 TFLite reference
  inverse_away,     // clamp(round_half_away(f32(x*inv)) + z)               TFLite's lookup tables
  divide_away_f64,  // clamp(round_half_away(f64(x)/s) + z)                 TFLite optimized, what its vectors leave over
  reciprocal_f64,   // clamp(rne(f32(x * f32(1/s in float64))) + z), +z and clamp in float32    PT2E decomposed
  inside_f64,       // clamp(rne(f64(x) * (1/s) + z)), all in float64       PT2E decomposed_per_token, asymmetric
  multiply_away,    // clamp(round_half_away(f32(x*s)) + z): s is the inverse scale     PyTorch _dyn_quant_matmul_4bit
  inside_nan_zero,  // clamp(rne(fma(x, inv, f32(z)))), saturating, NaN: 0  PyTorch 2.13.0 on ARM
  inside_reciprocal, // clamp(rne(f32(f32(x * f32(1/s in float64)) + f32(z))))   oneDNN 2.x's reorder
  outside_wrap,     // clamp(wrap32(sat32(rne(f32(x*inv))) + z)): inf gives 0   PyTorch 2.13.0 on ARM, per-channel uint8's tails
};
/// A rule's name, or FORM/MODE, which no runtime is known for (a cause): FORM inside_fused, inside, outside, divide or
/// divide_inside (f32(x/s) + z), MODE half_even, half_away, ... Throws Error naming the place and the rules known.
QuantizeRule quantize_rule(const std::string& name, const std::string& place);

/// One value. Sets tie and clamped in events.
std::int64_t quantize_value(QuantizeRule, float x, double scale, double zero_point, Range, Events&);

}  // namespace lastbit
