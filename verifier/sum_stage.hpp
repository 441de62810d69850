// sum_stage.hpp: conv2d_add as a list of stages: those of its cell, which end in a float, then "sum fused" or "sum separate", and what
// follows the sum. The operator itself reads the rest from the cell's parameters.
#pragma once
#include "lib/layer/layer.hpp"
#include "lib/profile/profile.hpp"

namespace lastbit {

/// The cell with those stages; any other operator's as it is.
Cell with_sum(const Layer&, Cell);
/// As the operator takes it.
Cell without_sum(Cell);
/// Position of the sum, or of the end.
std::ptrdiff_t sum_stage(const std::vector<std::string>& stages);

}  // namespace lastbit
