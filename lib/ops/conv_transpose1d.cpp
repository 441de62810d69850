// conv_transpose1d: y[n, o, p] = requantize(bias[o] + sum over c, t with p = i*stride + t*dilation - padding of (x[n, c, i] - zx) * (w[c, o, t] - zw[o]))
#include "lib/rules/conv_operator.hpp"

namespace lastbit::ops {

Operator conv_transpose1d() {
  return convolution<1, true>("conv_transpose1d", "y[n,o,i*stride+t*dilation-padding] += (x[n,c,i] - zx) * (w[c,o,t] - zw[o]), then bias and requantize");
}

}  // namespace lastbit::ops
