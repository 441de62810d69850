// elu: y = x > 0 ? x * scale : (exp(x * input_scale) - 1) * alpha * scale; see lib/rules/elu.hpp
#include "lib/error.hpp"
#include "lib/rules/elu.hpp"

namespace lastbit::ops {
namespace {

Elu parameters(const Layer& layer) {
  const auto number = [&](const char* key) { return layer.attributes.number(key, 1.0); };
  return {number("alpha"), number("scale"), number("input_scale")};
}

void check(const Layer& layer) { check_elu(layer, parameters(layer)); }
Result run(const Layer& layer, const Cell& cell) { return run_elu(layer, cell, parameters(layer)); }
Real real(const Layer& layer, const Result&) { return real_elu(layer, parameters(layer)); }

}  // namespace

Operator elu() {
  return {.name = "elu",
          .families = {"elu_like"},
          .formula = "y = x > 0 ? x * scale : (exp(x * input_scale) - 1) * alpha * scale",
          .inputs = {{"x", "uint8, int8"}},
          .outputs = {{"y", "like x"}},
          .attributes = {{"alpha", "number, 1 when absent"}, {"scale", "number, 1 when absent"}, {"input_scale", "number, 1 when absent"}},
          .rules = {"aten", "lut"},
          .check = check,
          .run = run,
          .real = real};
}

}  // namespace lastbit::ops
