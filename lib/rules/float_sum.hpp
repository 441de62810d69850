// float_sum.hpp: a float32 sum whose order is the runtime's own business.
#pragma once
#include <span>

namespace lastbit {

/// Every float32 that adding up `terms` can give, in whatever order and grouping: |fl(sum) - sum| <= g * sum of |terms|,
/// g = (n - 1) u / (1 - (n - 1) u), u = 2^-24 (Higham, Accuracy and Stability, 4.2). One value where no order can round.
struct FloatRange {
  float lo, hi;
};
FloatRange float_sum(std::span<const float> terms);

/// The float32 values nearest to lo and hi that lie inside [lo, hi]; if there is none, the one that contains it.
FloatRange inside(double lo, double hi);

}  // namespace lastbit
