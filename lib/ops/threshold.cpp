// threshold: y = x > threshold ? x : value; see lib/rules/activation.hpp
#include <cmath>

#include "lib/error.hpp"
#include "lib/num/float.hpp"
#include "lib/rules/activation.hpp"
#include "lib/rules/limits.hpp"
#include "lib/rules/pointwise.hpp"

namespace lastbit::ops {
namespace {

struct Parameters {
  float threshold, value;
};
Parameters parameters(const Layer& layer) { return {static_cast<float>(layer.attributes.number("threshold")), static_cast<float>(layer.attributes.number("value"))}; }

void check(const Layer& layer) {
  check_activation(layer);
  const auto p = parameters(layer);
  if (!std::isfinite(p.threshold) || !std::isfinite(p.value)) throw Error(layer.place, "found a threshold or value beyond float32, expected finite numbers");
}
Result run(const Layer& layer, const Cell& cell) {
  const auto p = parameters(layer);
  return run_activation(layer, cell, [p](const std::string&, float x) { return x > p.threshold ? x : p.value; });
}

Real real(const Layer& layer, const Result&) {
  const Tensor& x = layer.in("x");
  const double threshold = layer.attributes.number("threshold"), value = layer.attributes.number("value");
  return pointwise(x.size(), [&x, threshold, value]<class T>(std::int64_t i) -> T {
    const T v = dequantized<T>(x, i);
    return v > T(threshold) ? v : T(value);
  });
}

}  // namespace

Operator threshold() {
  return {.name = "threshold",
          .families = {"activation"},
          .formula = "y = x > threshold ? x : value",
          .inputs = {{"x", "uint8, int8, int16"}},
          .outputs = {{"y", "like x"}},
          .attributes = {{"threshold", "number"}, {"value", "number"}},
          .rules = {"aten", "lut"},
          .check = check,
          .run = run,
          .real = real};
}

}  // namespace lastbit::ops
