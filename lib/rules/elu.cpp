// elu.cpp: see elu.hpp.
#include "lib/rules/elu.hpp"

#include <cmath>

#include "lib/error.hpp"
#include "lib/rules/activation.hpp"
#include "lib/rules/limits.hpp"
#include "lib/rules/pointwise.hpp"
#include "lib/rules/sleef.hpp"

namespace lastbit {

void check_elu(const Layer& layer, const Elu& p) {
  check_activation(layer);
  if (!std::isfinite(p.alpha) || !std::isfinite(p.scale) || !std::isfinite(p.input_scale)) throw Error(layer.place, "found alpha, scale or input_scale that float32 cannot hold, expected finite numbers");
}

Result run_elu(const Layer& layer, const Cell& cell, const Elu& p) {
  return run_activation(layer, cell, [p](const std::string& how, float x) {
    const float inner = x * p.input_scale;
    if (how == "sleef_expm1" || how == "sleef_exp") {  // the vectors choose first and scale both
      const float negative = (how == "sleef_expm1" ? sleef::expm1f(inner) : sleef::expf(inner) - 1.0f) * p.alpha;
      return (x > 0.0f ? x : negative) * p.scale;
    }
    if (x >= 0.0f) return x * p.scale;
    if (how == "expm1") return static_cast<float>(std::expm1(static_cast<double>(inner))) * p.alpha * p.scale;
    if (how == "exp") return (exp_rounded(inner) - 1.0f) * p.alpha * p.scale;
    unknown_function(how, "sleef_expm1, sleef_exp, expm1 or exp");
  }, [](float x) { return x >= 0.0f; });
}

Real real_elu(const Layer& layer, const Elu& p) {
  const Tensor& x = layer.in("x");
  return pointwise(x.size(), [&x, p]<class T>(std::int64_t i) -> T {
    const T v = dequantized<T>(x, i);
    return v > T(0) ? v * T(p.scale) : expm1(v * T(p.input_scale)) * T(p.alpha) * T(p.scale);
  });
}

}  // namespace lastbit
