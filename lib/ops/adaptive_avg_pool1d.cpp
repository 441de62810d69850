// adaptive_avg_pool1d: the mean of each of output_size windows. lib/rules/average.hpp
#include "lib/rules/average.hpp"

namespace lastbit::ops {

Operator adaptive_avg_pool1d() { return adaptive_average_pool(1); }

}  // namespace lastbit::ops
