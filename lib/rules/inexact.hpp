// inexact.hpp: what TOSA's INEXACT_ROUND allows instead of one value.
#pragma once
#include "lib/layer/operator.hpp"
#include "lib/num/fixed.hpp"

namespace lastbit {

/// Adds to y the interval [ceil(ref - eb + zp), floor(ref + eb + zp)] of element i, clipped to the range, where it holds more
/// than one value; ref = acc * multiplier in float64, eb = 0.5 + (3 |ref| + |ref + zp|) * 2^-24.
void add_inexact(Computed& y, std::int64_t i, std::int64_t acc, FixedMultiplier, std::int64_t zero_point, Range);

}  // namespace lastbit
