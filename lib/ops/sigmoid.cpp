// sigmoid: y = 1 / (1 + exp(-x)); see lib/rules/activation.hpp
#include <array>
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

// "float32" 1 / (1 + e) in float32 steps; "widened" f32(1 / (1.0 + e)) with a float64 sum; "ratio64" f32(e / (1 + e)), e = exp(x), all in
// float64; "sleef" float32 steps on SLEEF's expf.
//
// "mlas_fma", "mlas" ONNX Runtime's rational function of x^2 over [-18, 18], with and without fused steps:
// x * (a1 + a3 x^2 + ... + a9 x^8) / (b0 + b2 x^2 + ... + b10 x^10) + 1/2   (core/mlas/lib/logistic.cpp)
float rational(float x, bool fma) {
  constexpr std::array<float, 5> alpha{4.37031012579801e-11f, 1.15627324459942e-07f, 6.08574864600143e-05f, 8.51377133304701e-03f, 2.48287947061529e-01f};
  constexpr std::array<float, 6> beta{6.10247389755681e-13f, 5.76102136993427e-09f, 6.29106785017040e-06f, 1.70198817374094e-03f, 1.16817656904453e-01f, 9.93151921023180e-01f};
  const float v = std::fmin(std::fmax(x, -18.0f), 18.0f), square = v * v;
  const auto polynomial = [&](const auto& c) {
    float p = c[0];
    for (std::size_t k = 1; k < c.size(); ++k) {
      const float product = p * square;
      p = fma ? fused(p, square, c[k]) : product + c[k];
    }
    return p;
  };
  const float p = polynomial(alpha) * v;
  const float quotient = p / polynomial(beta);
  return std::fmin(std::fmax(quotient + 0.5f, 0.0f), 1.0f);
}

float sigmoid_of(const std::string& how, float x) {
  if (how == "sleef") return 1.0f / (1.0f + sleef::expf(-x));
  if (how == "float32") return 1.0f / (1.0f + exp_rounded(-x));
  if (how == "widened") return static_cast<float>(1.0 / (1.0 + static_cast<double>(exp_rounded(-x))));
  if (how == "ratio64") {
    const double e = std::exp(static_cast<double>(x));
    return std::isinf(e) ? 1.0f : static_cast<float>(e / (1.0 + e));
  }
  if (how == "float64") return static_cast<float>(1.0 / (1.0 + std::exp(-static_cast<double>(x))));
  if (how == "mlas_fma" || how == "mlas") return rational(x, how == "mlas_fma");
  unknown_function(how, "mlas_fma, mlas, sleef, float32, widened, ratio64 or float64");
}

void check(const Layer& layer) { check_activation(layer); }
// "table16" TFLite's table between int16 values; "gemmlowp16" gemmlowp's fixed-point sigmoid with three integer bits.
Result run(const Layer& layer, const Cell& cell) {
  const Tensor& x = layer.in("x");
  if (cell.rule != "table16" && cell.rule != "gemmlowp16") return run_activation(layer, cell, sigmoid_of);
  if (x.dtype != DType::int16) throw Error(layer.place, "found " + std::string(name(x.dtype)) + ", expected int16 for the rule " + cell.rule);
  const auto scale = static_cast<float>(x.q.scale_of(0));
  const bool table = cell.rule == "table16";
  return map_values(x, layer.out().shape, [&](std::int64_t q) {
    return Mapped{table ? table_sigmoid16(static_cast<std::int32_t>(q), scale) : static_cast<std::int32_t>(gemmlowp::logistic(q, 3, 16))};
  });
}

Real real(const Layer& layer, const Result&) {
  const Tensor& x = layer.in("x");
  return pointwise(x.size(), [&x]<class T>(std::int64_t i) -> T {
    const T v = dequantized<T>(x, i);
    if constexpr (std::is_same_v<T, Exact>) return lastbit::sigmoid(v);
    else return T(1) / (T(1) + exp(-v));
  });
}

void facts(const Layer& layer, std::set<std::string>& f) {
  output_facts(layer, f);
  power_of_two_facts(layer, f);
}

}  // namespace

Operator sigmoid() {
  return {.name = "sigmoid",
          .families = {"activation"},
          .formula = "y = 1 / (1 + exp(-x))",
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
