// two_values.hpp: pairs of causes in a layer that does not accumulate, for what no single one explains.
#pragma once
#include "verifier/two_causes.hpp"

namespace lastbit {

/// One suspect that reads or stores otherwise (another layer) with one that computes otherwise, or either with a stale zero point, which is
/// solved for. Whole outputs are computed: as many as a million or so elements allow.
std::optional<Pair> explain_values_by_two(const Case&, const std::vector<Suspect>&);

}  // namespace lastbit
