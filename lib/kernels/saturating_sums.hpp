// saturating_sums.hpp: terms added up in registers of several widths at once, which saturate after every term.
#pragma once
#include <array>
#include <cstdint>

namespace lastbit {

inline constexpr int widths_at_once = 16, widest_at_once = 31;

/// sums[i]: in a register of narrowest + i bits, from 0 on, the terms in their order: sum = clamp(sum + term, -2^(bits-1), 2^(bits-1) - 1).
/// Beyond widest_at_once bits: as in that many. |terms| <= 2^30.
using WidthSums = std::array<std::int32_t, widths_at_once>;
WidthSums saturating_sums(const std::int32_t* terms, std::int64_t n, int narrowest);
/// Of two sequences of one length: each waits for its own last sum alone.
std::array<WidthSums, 2> saturating_sums(const std::int32_t* first, const std::int32_t* second, std::int64_t n, int narrowest);

}  // namespace lastbit
