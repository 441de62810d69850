// inexact.cpp: see inexact.hpp.
#include "lib/rules/inexact.hpp"

#include <algorithm>
#include <cmath>

namespace lastbit {

void add_inexact(Computed& y, std::int64_t i, std::int64_t acc, FixedMultiplier by, std::int64_t zero_point, Range range) {
  const double ref = static_cast<double>(acc) * value(by), zp = static_cast<double>(zero_point);
  const double error = 0.5 + (3 * std::fabs(ref) + std::fabs(ref + zp)) * 0x1p-24;
  const auto min = static_cast<double>(range.min), max = static_cast<double>(range.max);
  const double lo = std::clamp(std::ceil(ref - error + zp), min, max), hi = std::clamp(std::floor(ref + error + zp), min, max);
  if (lo >= hi) return;
  y.undefined.push_back({i, lo, hi});
  y.events[static_cast<std::size_t>(i)] |= event::undefined;
}

}  // namespace lastbit
