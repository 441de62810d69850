// max_pool2d: the largest stored integer of each window. lib/rules/max_pool.hpp
#include "lib/rules/max_pool.hpp"

namespace lastbit::ops {

Operator max_pool2d() { return max_pool(2); }

}  // namespace lastbit::ops
