// instance_norm: lib/rules/normalize.hpp
#include "lib/rules/normalize.hpp"

namespace lastbit::ops {

Operator instance_norm() { return normalization(Normalized::instance); }

}  // namespace lastbit::ops
