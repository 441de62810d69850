// adaptive_avg_pool2d: the mean of each of output_size windows. lib/rules/average.hpp
#include "lib/rules/average.hpp"

namespace lastbit::ops {

Operator adaptive_avg_pool2d() { return adaptive_average_pool(2); }

}  // namespace lastbit::ops
