// max_pool.hpp: the largest of a window's stored integers, for one, two and three spatial axes.
#pragma once
#include "lib/layer/operator.hpp"

namespace lastbit {

/// Cell parameter "outside": skip (a tap in the padding counts as the least value) or border (QNNPACK reads the nearest
/// element instead, which differs when dilation > 1 steps over the border).
Operator max_pool(int dims);

}  // namespace lastbit
