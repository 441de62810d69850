// sum: the sum over axes. lib/rules/sums.hpp
#include "lib/rules/sums.hpp"

namespace lastbit::ops {

Operator sum() { return total("sum", false); }

}  // namespace lastbit::ops
