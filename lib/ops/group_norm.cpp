// group_norm: lib/rules/normalize.hpp
#include "lib/rules/normalize.hpp"

namespace lastbit::ops {

Operator group_norm() { return normalization(Normalized::group); }

}  // namespace lastbit::ops
