// avg_pool3d: the mean of each window. lib/rules/average.hpp
#include "lib/rules/average.hpp"

namespace lastbit::ops {

Operator avg_pool3d() { return average_pool(3); }

}  // namespace lastbit::ops
