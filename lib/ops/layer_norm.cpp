// layer_norm: lib/rules/normalize.hpp
#include "lib/rules/normalize.hpp"

namespace lastbit::ops {

Operator layer_norm() { return normalization(Normalized::layer); }

}  // namespace lastbit::ops
