// pair_block.hpp: what the saturation of int16 pairs adds, for a block of positions at once.
#pragma once
#include <cstdint>

namespace lastbit {

inline constexpr std::int64_t pair_positions = 64;

/// Two terms that share a 16-bit register.
struct PairTerm {
  std::int32_t first = 0, second = 0;  // rows of raw
  std::int32_t w0 = 0, w1 = 0;
};

/// sums[i] += sat16(p) - p, p = raw[first][i] * w0 + raw[second][i] * w1; at most 16384 terms, |raw| and |w| at most 255. narrow: |w| at most 128.
void pair_block(const std::int16_t* raw, const PairTerm* terms, std::int64_t count, bool narrow, std::int32_t* sums);

}  // namespace lastbit
