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
  const auto finite = [](double v) { return std::fabs(v) < 0x1.ffffffp127; };
  if (!finite(p.alpha) || !finite(p.scale) || !finite(p.input_scale)) throw Error(layer.place, "found alpha, scale or input_scale that float32 cannot hold, expected finite numbers");
}

Result run_elu(const Layer& layer, const Cell& cell, const Elu& p) {
  const float alpha = static_cast<float>(p.alpha), scale = static_cast<float>(p.scale), input_scale = static_cast<float>(p.input_scale);
  return run_activation(layer, cell, [alpha, scale, input_scale](const std::string& how, float x) {
    const float inner = x * input_scale;
    if (how == "sleef_expm1" || how == "sleef_exp") {  // the vectors choose first and scale both
      const float negative = (how == "sleef_expm1" ? sleef::expm1f(inner) : sleef::expf(inner) - 1.0f) * alpha;
      return (x > 0.0f ? x : negative) * scale;
    }
    if (x >= 0.0f) return x * scale;
    if (how == "expm1") return static_cast<float>(std::expm1(static_cast<double>(inner))) * alpha * scale;
    if (how == "exp") return (exp_rounded(inner) - 1.0f) * alpha * scale;
    unknown_function(how, "sleef_expm1, sleef_exp, expm1 or exp");
  }, [](float x) { return x >= 0.0f; });
}

Real real_elu(const Layer& layer, const Elu& p) {
  const Tensor& x = layer.in("x");
  return pointwise(x.size(), [&x, p]<class T>(std::int64_t i) -> T {
    const T v = dequantized<T>(x, i);
    if (v > T(0)) return v * T(p.scale);
    const T inner = p.inverse != 0 ? v / T(p.inverse) : v * T(p.input_scale);
    return expm1(inner) * T(p.alpha) * T(p.scale);
  });
}

}  // namespace lastbit
