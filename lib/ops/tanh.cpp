// tanh: y = tanh(x); see lib/rules/activation.hpp
#include <cmath>

#include "lib/error.hpp"
#include "lib/num/float.hpp"
#include "lib/rules/activation.hpp"
#include "lib/rules/aten_kernel.hpp"
#include "lib/rules/gemmlowp.hpp"
#include "lib/rules/int16_table.hpp"
#include "lib/rules/limits.hpp"
#include "lib/rules/pointwise.hpp"
#include "lib/rules/sleef.hpp"

namespace lastbit::ops {
namespace {

// "sleef" SLEEF's tanhf; "float64" float64, rounded once.
float tanh_of(const std::string& how, float x) {
  if (how == "sleef") return sleef::tanhf(x);
  if (how == "float64") return static_cast<float>(std::tanh(static_cast<double>(x)));
  unknown_function(how, "sleef or float64");
}

void check(const Layer& layer) { check_activation(layer); }
// "table16" TFLite's table between int16 values; "gemmlowp16" gemmlowp's fixed-point tanh with three integer bits.
Result run(const Layer& layer, const Cell& cell) {
  const Tensor& x = layer.in("x");
  if (cell.rule != "table16" && cell.rule != "gemmlowp16") return run_activation(layer, cell, tanh_of);
  if (x.dtype != DType::int16) throw Error(layer.place, "found " + std::string(name(x.dtype)) + ", expected int16 for the rule " + cell.rule);
  const auto scale = static_cast<float>(x.q.scale_of(0));
  const bool table = cell.rule == "table16";
  const int left = power_of_two(scale).exponent == -11 ? 1 : 0;
  return map_values(x, layer.out().shape, [&](std::int64_t q) {
    return Mapped{table ? table_tanh16(static_cast<std::int32_t>(q), scale) : static_cast<std::int32_t>(gemmlowp::tanh(gemmlowp::multiply_by_power_of_two(q, left, 16), 3, 16))};
  });
}

Real real(const Layer& layer, const Result&) {
  const Tensor& x = layer.in("x");
  return pointwise(x.size(), [&x]<class T>(std::int64_t i) -> T { return lastbit::tanh(dequantized<T>(x, i)); });
}

void facts(const Layer& layer, std::set<std::string>& f) {
  output_facts(layer, f);
  power_of_two_facts(layer, f);
}

}  // namespace

Operator tanh() {
  return {.name = "tanh",
          .families = {"activation"},
          .formula = "y = tanh(x)",
          .inputs = {{"x", "uint8, int8, int16"}},
          .outputs = {{"y", "like x"}},
          .attributes = {},
          .rules = {"aten", "lut", "table16", "gemmlowp16"},
          .check = check,
          .run = run,
          .real = real,
          .facts = facts};
}

}  // namespace lastbit::ops
