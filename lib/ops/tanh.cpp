// tanh: y = tanh(x); see lib/rules/activation.hpp
#include <cmath>

#include "lib/rules/sleef.hpp"
#include "lib/num/float.hpp"
#include "lib/rules/activation.hpp"
#include "lib/rules/limits.hpp"
#include "lib/rules/pointwise.hpp"

namespace lastbit::ops {
namespace {

// "sleef" SLEEF's tanhf; "float64" float64, rounded once.
float tanh_of(const std::string& how, float x) {
  if (how == "sleef") return sleef::tanhf(x);
  if (how == "float64") return static_cast<float>(std::tanh(static_cast<double>(x)));
  unknown_function(how, "sleef or float64");
}

void check(const Layer& layer) { check_activation(layer); }
Result run(const Layer& layer, const Cell& cell) { return run_activation(layer, cell, tanh_of); }

Real real(const Layer& layer, const Result&) {
  const Tensor& x = layer.in("x");
  return pointwise(x.size(), [&x]<class T>(std::int64_t i) -> T { return lastbit::tanh(dequantized<T>(x, i)); });
}

}  // namespace

Operator tanh() {
  return {.name = "tanh",
          .families = {"activation"},
          .formula = "y = tanh(x)",
          .inputs = {{"x", "uint8, int8, int16"}},
          .outputs = {{"y", "like x"}},
          .attributes = {},
          .rules = {"aten", "lut"},
          .check = check,
          .run = run,
          .real = real};
}

}  // namespace lastbit::ops
