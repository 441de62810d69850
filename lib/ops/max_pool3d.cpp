// max_pool3d: the largest stored integer of each window. lib/rules/max_pool.hpp
#include "lib/rules/max_pool.hpp"

namespace lastbit::ops {

Operator max_pool3d() { return max_pool(3); }

}  // namespace lastbit::ops
