// activation.hpp: operators that send each stored value through a float32 function.
//
// Rules:
//   aten    AtenKernel: function "body" in vectors, "function" in the tail (aten_kernel.hpp). with "slack": by how many ulp the
//           tail's library function may be off; what that leaves open becomes an interval
//   lut     y = quantize(function(f32(f32(q - zi) * f32(si)))) by rule "rounding" of quantize_value.hpp
// How a function is computed has a name ("sleef", "float32", "float64", ...); each operator lists its own.
#pragma once
#include <functional>

#include "lib/layer/operator.hpp"

namespace lastbit {

using FloatFunction = std::function<float(const std::string& how, float x)>;

/// `exact(x)`: no library function is asked for this x, so "slack" does not count.
Result run_activation(const Layer&, const Cell&, const FloatFunction&, const std::function<bool(float x)>& exact = {});
/// Throws: the profile's cell names a function that the operator does not have.
[[noreturn]] void unknown_function(const std::string& how, const std::string& known);

/// e^x in float64, rounded once: what a good float32 library returns.
float exp_rounded(float x);

}  // namespace lastbit
