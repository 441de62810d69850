// pairs.hpp: which products of a layer share a 16-bit register.
#pragma once
#include "lib/rules/accumulation.hpp"

namespace lastbit {

/// By the cell's pair_order (lib/rules/accumulation.hpp): consecutive pairs of every segment. None: the cell pairs nothing, or the
/// kernel that runs is exact.
std::vector<Segment> pair_segments(const Layer&, const Cell&, const Geometry&);

/// What is added to every stored x before it is multiplied: 128 where int8 goes through a kernel of uint8, -128 where uint8 goes
/// through one of int8.
inline std::int32_t pair_offset(const Cell& cell) {
  const std::string by = cell.get("pair_offset");
  return by == "128" ? 128 : by == "-128" ? -128 : 0;
}
/// Codes of int8 leave int16 in one way, (-128)^2 + (-128)^2 = 2^15: a register that saturates takes 1 off the sum, one that wraps 2^16.
inline bool pairs_wrap(const Cell& cell) { return cell.get("pair_beyond") == "wrap"; }
inline std::int64_t pair_factor(const Cell& cell) { return pairs_wrap(cell) ? 65536 : 1; }
/// What a tap outside the input multiplies, as stored plus that offset.
inline std::int32_t pair_outside(const Cell& cell, std::int64_t x_zero_point) {
  return cell.get("pair_outside", "zero_point") == "zero" ? 0 : static_cast<std::int32_t>(x_zero_point) + pair_offset(cell);
}

}  // namespace lastbit
