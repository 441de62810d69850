// intervals.hpp: where the integer form may give an interval instead of a value, and why: what `lastbit list operators` shows
// apart from the profiles that hold an operator exactly.
#pragma once
#include "lib/layer/operator.hpp"

namespace lastbit {

/// Why a cell's results are not all known from a dump; empty: every element is exact. Elements outside the interval are
/// mismatches all the same.
std::string open_reason(const Operator&, const Cell&);

}  // namespace lastbit
