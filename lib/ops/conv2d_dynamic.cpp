// conv2d_dynamic: see lib/rules/dynamic_convolution.cpp
#include "lib/rules/dynamic.hpp"

namespace lastbit::ops {
Operator conv2d_dynamic() { return dynamic_convolution(2); }
}  // namespace lastbit::ops
