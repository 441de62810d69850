// avg_pool2d: the mean of each window. lib/rules/average.hpp
#include "lib/rules/average.hpp"

namespace lastbit::ops {

Operator avg_pool2d() { return average_pool(2); }

}  // namespace lastbit::ops
