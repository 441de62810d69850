// rounded.hpp: numbers with fewer digits than the last bits that differ between C libraries and orders of sums.
#pragma once
#include <cmath>

#include "lib/num/round.hpp"

namespace lastbit {

/// To 6 decimals, ties to even. Values too large for that stay.
inline double rounded(double v) { return std::isfinite(v) && std::fabs(v) < 1e9 ? static_cast<double>(rne(v * 1e6)) / 1e6 : v; }

}  // namespace lastbit
