// max_pool1d: the largest stored integer of each window. lib/rules/max_pool.hpp
#include "lib/rules/max_pool.hpp"

namespace lastbit::ops {

Operator max_pool1d() { return max_pool(1); }

}  // namespace lastbit::ops
