// ties.hpp: what float arithmetic in another order may bring to the other side of a rounding's boundary.
#pragma once
#include <vector>

#include "verifier/cause.hpp"

namespace lastbit {

/// For a layer that does not accumulate and that no exact arithmetic explains. A value that is a fraction (an average, an interpolation) may
/// lie on a boundary; float sums formed in another order come to either side of it, so that these suspects' values there are intervals:
/// - roundings to nearest, where all that differs lies on boundaries, and that cannot be by chance;
/// - operands read otherwise, by the suspects `tried`, where a few elements are left over that lie on boundaries.
std::vector<Suspect> either_side_of_boundaries(const Case&, const std::vector<Suspect>& tried);

}  // namespace lastbit
