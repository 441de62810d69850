// gelu: y = x / 2 * (1 + erf(x / sqrt(2))), or its tanh approximation; see lib/rules/activation.hpp
#include <cmath>

#include "lib/error.hpp"
#include "lib/rules/sleef.hpp"
#include "lib/num/float.hpp"
#include "lib/rules/activation.hpp"
#include "lib/rules/limits.hpp"
#include "lib/rules/pointwise.hpp"

namespace lastbit::ops {
namespace {

constexpr double half_root = 0.70710678118654752440, beta = 1.41421356237309504880 * 1.12837916709551257390 * 0.5, kappa = 0.044715;

bool by_tanh(const Layer& layer) { return layer.attributes.text("approximate", "none") == "tanh"; }

/// ATen's vector erf is not SLEEF's but Abramowitz and Stegun 7.1.26, in fused float32 steps around SLEEF's expf:
/// erf(x) = sign(x) * (1 - (a1 t + ... + a5 t^5) exp(-x^2)), t = 1 / (1 + 0.3275911 |x|); off by up to 1.5e-7.
float vector_erf(float x) {
  const float t = 1.0f / fused(0.3275911f, std::fabs(x), 1.0f);
  float r = fused(1.061405429f, t, -1.453152027f);
  for (const float a : {1.421413741f, -0.284496736f, 0.254829592f}) r = fused(r, t, a);
  const float y = fused(-sleef::expf(-(x * x)) * t, r, 1.0f);
  return std::signbit(x) ? -y : y;
}

// "vector" ATen's float32 vectors: vector_erf; or SLEEF's tanhf of beta * fma(kappa, x^3, x), which GCC contracts;
// "float64" float64 steps from the float32 x, rounded once.
float gelu_of(const std::string& how, float x, bool approximate) {
  if (how == "vector" && !approximate) return x * 0.5f * (1.0f + vector_erf(x * static_cast<float>(half_root)));
  if (how == "vector") {
    const float cube = x * x * x;
    const float inner = static_cast<float>(beta) * fused(static_cast<float>(kappa), cube, x);
    return 0.5f * x * (1.0f + sleef::tanhf(inner));
  }
  if (how != "float64") unknown_function(how, "vector or float64");
  const auto wide = static_cast<double>(x);
  if (!approximate) return static_cast<float>(wide * 0.5 * (1 + std::erf(wide * half_root)));
  const float cube = x * x * x;
  return static_cast<float>(0.5 * wide * (1.0 + std::tanh(beta * (wide + kappa * static_cast<double>(cube)))));
}

void check(const Layer& layer) {
  check_activation(layer);
  const std::string kind = layer.attributes.text("approximate", "none");
  if (kind != "none" && kind != "tanh") throw Error(layer.place + ": attribute \"approximate\"", "found \"" + kind + "\", expected none or tanh");
}
Result run(const Layer& layer, const Cell& cell) {
  const bool approximate = by_tanh(layer);
  return run_activation(layer, cell, [approximate](const std::string& how, float x) { return gelu_of(how, x, approximate); });
}

/// pi to 212 bits: four doubles that add up to it.
template <class T>
T pi() {
  return T(3.141592653589793) + T(1.2246467991473532e-16) + T(-2.9947698097183397e-33) + T(1.1124542208633653e-49);
}

Real real(const Layer& layer, const Result&) {
  const Tensor& x = layer.in("x");
  const bool approximate = by_tanh(layer);
  return pointwise(x.size(), [&x, approximate]<class T>(std::int64_t i) -> T {
    const T v = dequantized<T>(x, i);
    if (!approximate) return v * T(0.5f) * (T(1) + erf(v / sqrt(T(2))));
    return v * T(0.5f) * (T(1) + lastbit::tanh(sqrt(T(2) / pi<T>()) * (v + T(44715) / T(1000000) * v * v * v)));
  });
}

}  // namespace

Operator gelu() {
  return {.name = "gelu",
          .families = {"activation"},
          .formula = "y = x / 2 * (1 + erf(x / sqrt(2))), or its tanh approximation",
          .inputs = {{"x", "uint8, int8, int16"}},
          .outputs = {{"y", "like x"}},
          .attributes = {{"approximate", "none, tanh (none)"}},
          .rules = {"aten", "lut"},
          .check = check,
          .run = run,
          .real = real};
}

}  // namespace lastbit::ops
