// adaptive_avg_pool3d: the mean of each of output_size windows. lib/rules/average.hpp
#include "lib/rules/average.hpp"

namespace lastbit::ops {

Operator adaptive_avg_pool3d() { return adaptive_average_pool(3); }

}  // namespace lastbit::ops
