// celu: y = x > 0 ? x : alpha * (exp(x / alpha) - 1); see lib/rules/elu.hpp
#include "lib/error.hpp"
#include "lib/rules/elu.hpp"

namespace lastbit::ops {
namespace {

/// ATen computes celu as elu with input_scale = 1 / alpha, divided in float64.
Elu parameters(const Layer& layer) {
  const double alpha = layer.attributes.number("alpha", 1.0);
  if (alpha == 0) throw Error(layer.place + ": attribute \"alpha\"", "found 0, expected another number");
  return {alpha, 1.0, 1.0 / alpha, alpha};
}

void check(const Layer& layer) { check_elu(layer, parameters(layer)); }
Result run(const Layer& layer, const Cell& cell) { return run_elu(layer, cell, parameters(layer)); }
Real real(const Layer& layer, const Result&) { return real_elu(layer, parameters(layer)); }

}  // namespace

Operator celu() {
  return {.name = "celu",
          .families = {"elu_like"},
          .formula = "y = x > 0 ? x : alpha * (exp(x / alpha) - 1)",
          .inputs = {{"x", "uint8, int8"}},
          .outputs = {{"y", "like x"}},
          .attributes = {{"alpha", "number, 1 when absent"}},
          .rules = {"aten", "lut"},
          .check = check,
          .run = run,
          .real = real};
}

}  // namespace lastbit::ops
