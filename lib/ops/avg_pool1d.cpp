// avg_pool1d: the mean of each window. lib/rules/average.hpp
#include "lib/rules/average.hpp"

namespace lastbit::ops {

Operator avg_pool1d() { return average_pool(1); }

}  // namespace lastbit::ops
