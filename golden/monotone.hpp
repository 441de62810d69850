// monotone.hpp: a proof that stages turn a larger accumulator into no smaller output.
#pragma once
#include "lib/profile/requantize.hpp"

namespace lastbit {

/// Whether every stage is known to keep the order of the accumulators in [lo, hi] of this channel: sums of a constant, products
/// with a positive one, every rounding and every clamp do; a register that wraps does only while nothing reaches its ends, a
/// conversion that turns large floats into INT_MIN only while none is large. False where that is not known.
bool monotone(const std::vector<std::string>& stages, const RequantizeContext&, std::int64_t channel, std::int64_t lo, std::int64_t hi);

}  // namespace lastbit
