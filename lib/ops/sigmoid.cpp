// sigmoid: y = 1 / (1 + exp(-x)); see lib/rules/activation.hpp
#include <cmath>

#include "lib/rules/sleef.hpp"
#include "lib/num/float.hpp"
#include "lib/rules/activation.hpp"
#include "lib/rules/limits.hpp"
#include "lib/rules/pointwise.hpp"

namespace lastbit::ops {
namespace {

// "float32" 1 / (1 + e) in float32 steps; "widened" f32(1 / (1.0 + e)) with a float64 sum; "ratio64" f32(e / (1 + e)), e = exp(x), all in
// float64; "sleef" float32 steps on SLEEF's expf.
float sigmoid_of(const std::string& how, float x) {
  if (how == "sleef") return 1.0f / (1.0f + sleef::expf(-x));
  if (how == "float32") return 1.0f / (1.0f + exp_rounded(-x));
  if (how == "widened") return static_cast<float>(1.0 / (1.0 + static_cast<double>(exp_rounded(-x))));
  if (how == "ratio64") {
    const double e = std::exp(static_cast<double>(x));
    return std::isinf(e) ? 1.0f : static_cast<float>(e / (1.0 + e));
  }
  if (how == "float64") return static_cast<float>(1.0 / (1.0 + std::exp(-static_cast<double>(x))));
  unknown_function(how, "sleef, float32, widened, ratio64 or float64");
}

void check(const Layer& layer) { check_activation(layer); }
Result run(const Layer& layer, const Cell& cell) { return run_activation(layer, cell, sigmoid_of); }

Real real(const Layer& layer, const Result&) {
  const Tensor& x = layer.in("x");
  return pointwise(x.size(), [&x]<class T>(std::int64_t i) -> T { return T(1) / (T(1) + exp(-dequantized<T>(x, i))); });
}

}  // namespace

Operator sigmoid() {
  return {.name = "sigmoid",
          .families = {"activation"},
          .formula = "y = 1 / (1 + exp(-x))",
          .inputs = {{"x", "uint8, int8, int16"}},
          .outputs = {{"y", "like x"}},
          .attributes = {},
          .rules = {"aten", "lut"},
          .check = check,
          .run = run,
          .real = real,
          .facts = output_facts};
}

}  // namespace lastbit::ops
