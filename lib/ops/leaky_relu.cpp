// leaky_relu: y = x > 0 ? x : x * negative_slope; see lib/rules/activation.hpp
#include <cmath>

#include "lib/error.hpp"
#include "lib/num/float.hpp"
#include "lib/rules/activation.hpp"
#include "lib/rules/limits.hpp"
#include "lib/rules/pointwise.hpp"

namespace lastbit::ops {
namespace {

double slope(const Layer& layer) { return layer.attributes.number("negative_slope", 0.01); }

void check(const Layer& layer) {
  check_activation(layer);
  if (!std::isfinite(static_cast<float>(slope(layer)))) throw Error(layer.place + ": attribute \"negative_slope\"", "found a number beyond float32, expected a finite one");
}
Result run(const Layer& layer, const Cell& cell) {
  const auto alpha = static_cast<float>(slope(layer));
  return run_activation(layer, cell, [alpha](const std::string&, float x) { return x > 0.0f ? x : x * alpha; });
}

Real real(const Layer& layer, const Result&) {
  const Tensor& x = layer.in("x");
  const auto alpha = static_cast<float>(slope(layer));
  return pointwise(x.size(), [&x, alpha]<class T>(std::int64_t i) -> T {
    const T v = dequantized<T>(x, i);
    return v > T(0) ? v : v * T(alpha);
  });
}

}  // namespace

Operator leaky_relu() {
  return {.name = "leaky_relu",
          .families = {"activation"},
          .formula = "y = x > 0 ? x : x * negative_slope",
          .inputs = {{"x", "uint8, int8, int16"}},
          .outputs = {{"y", "like x"}},
          .attributes = {{"negative_slope", "number, 0.01 when absent"}},
          .rules = {"aten", "lut"},
          .check = check,
          .run = run,
          .real = real};
}

}  // namespace lastbit::ops
