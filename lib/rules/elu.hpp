// elu.hpp: elu and celu: y = x > 0 ? x * scale : (exp(x * input_scale) - 1) * alpha * scale, by activation.hpp.
//
// Functions: "sleef_expm1" SLEEF's expm1f; "sleef_exp" SLEEF's expf less 1; "expm1" float64, rounded once; "exp" a float32 exp less 1.
#pragma once
#include "lib/layer/operator.hpp"

namespace lastbit {

/// As an operator's attributes have them; the kernels take each as float32. `inverse` of input_scale: celu's alpha, else 0.
struct Elu {
  double alpha, scale, input_scale, inverse = 0;
};
void check_elu(const Layer&, const Elu&);
Result run_elu(const Layer&, const Cell&, const Elu&);
Real real_elu(const Layer&, const Elu&);

}  // namespace lastbit
