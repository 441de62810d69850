// conv3d: y[n, o, p] = requantize(bias[o] + sum over taps t, channels c of (x[n, c, p*stride + t*dilation - padding] - zx) * (w[o, c, t] - zw[o]))
#include "lib/rules/conv_operator.hpp"

namespace lastbit::ops {

Operator conv3d() {
  return convolution<3, false>("conv3d", "y[n,o,p] = requantize(bias[o] + sum_tc (x[n,c,p*stride+t*dilation-padding] - zx) * (w[o,c,t] - zw[o]))");
}

}  // namespace lastbit::ops
