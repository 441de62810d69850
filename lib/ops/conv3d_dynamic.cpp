// conv3d_dynamic: see lib/rules/dynamic_convolution.cpp
#include "lib/rules/dynamic.hpp"

namespace lastbit::ops {
Operator conv3d_dynamic() { return dynamic_convolution(3); }
}  // namespace lastbit::ops
