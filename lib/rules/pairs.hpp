// pairs.hpp: which products of a layer share a 16-bit register.
#pragma once
#include "lib/rules/accumulation.hpp"

namespace lastbit {

/// By the cell's pair_order (lib/rules/accumulation.hpp): consecutive pairs of every segment. None: the cell pairs nothing, or the
/// kernel that runs is exact.
std::vector<Segment> pair_segments(const Layer&, const Cell&, const Geometry&);

}  // namespace lastbit
