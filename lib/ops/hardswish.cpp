// hardswish: y = x * min(max(x + 3, 0), 6) / 6; see lib/rules/activation.hpp
#include <cmath>

#include "lib/num/float.hpp"
#include "lib/rules/activation.hpp"
#include "lib/rules/limits.hpp"
#include "lib/rules/pointwise.hpp"

namespace lastbit::ops {
namespace {

float hardswish_of(const std::string&, float x) {
  const float shifted = x + 3.0f;
  return x * std::fmin(std::fmax(shifted, 0.0f), 6.0f) / 6.0f;
}

void check(const Layer& layer) { check_activation(layer); }
Result run(const Layer& layer, const Cell& cell) { return run_activation(layer, cell, hardswish_of); }

Real real(const Layer& layer, const Result&) {
  const Tensor& x = layer.in("x");
  return pointwise(x.size(), [&x]<class T>(std::int64_t i) -> T {
    const T v = dequantized<T>(x, i);
    return v * min(max(v + T(3), T(0)), T(6)) / T(6);
  });
}

}  // namespace

Operator hardswish() {
  return {.name = "hardswish",
          .families = {"activation"},
          .formula = "y = x * min(max(x + 3, 0), 6) / 6",
          .inputs = {{"x", "uint8, int8, int16"}},
          .outputs = {{"y", "like x"}},
          .attributes = {},
          .rules = {"aten", "lut"},
          .check = check,
          .run = run,
          .real = real};
}

}  // namespace lastbit::ops
