// mean: the mean over axes. lib/rules/sums.hpp
#include "lib/rules/sums.hpp"

namespace lastbit::ops {

Operator mean() { return total("mean", true); }

}  // namespace lastbit::ops
