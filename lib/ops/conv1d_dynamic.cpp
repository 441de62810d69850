// conv1d_dynamic: see lib/rules/dynamic_convolution.cpp
#include "lib/rules/dynamic.hpp"

namespace lastbit::ops {
Operator conv1d_dynamic() { return dynamic_convolution(1); }
}  // namespace lastbit::ops
