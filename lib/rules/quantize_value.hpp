// quantize_value.hpp: the rules by which runtimes turn a float32 into a stored integer.
#pragma once
#include <string>

#include "lib/layer/operator.hpp"

namespace lastbit {

/// s = scale, z = zero point, inv = f32(1 / f32(s)).
enum class QuantizeRule {
  inside_fused,     // clamp(cvtps(min(fma(x, inv, f32(z)), 2147483520)))   FBGEMM legacy, PyTorch 2.13.0 whole arrays ("A")
  inside,           // clamp(rne(f32(f32(x*inv) + f32(z))))                 PyTorch 2.13.0 quantize_val, tails ("A'")
  outside,          // clamp(rne(f32(x*inv)) + z), saturating               PyTorch to 2.12 and from 2.14, ARM
  outside_int64,    // clamp64(int64(z + nearbyint(f32(x*inv))))            PyTorch without FBGEMM: NaN, inf, >= 2^63 give qmin
  divide_even,      // clamp(rne(clamp(f32(x/s), qmin-z, qmax-z)) + z)      ONNX Runtime (NaN gives qmin)
  divide_away,      // clamp(round_half_away(f32(x/s)) + z)                 TFLite reference
  inverse_away,     // clamp(round_half_away(f32(x*inv)) + z)               TFLite's lookup tables
  reciprocal_f64,   // clamp(rne(f32(x * f32(1/s in float64))) + z), +z and clamp in float32    PT2E decomposed
};
/// Throws Error naming the place and the rules known.
QuantizeRule quantize_rule(const std::string& name, const std::string& place);


/// One value. Sets tie and clamped in events.
std::int64_t quantize_value(QuantizeRule, float x, double scale, double zero_point, Range, Events&);

}  // namespace lastbit
