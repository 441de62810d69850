// byte_sums.hpp: add and sub of bytes, judged along the real sum.
//
// A rule gives the nearest value wherever the real sum is farther from a rounding boundary than the rule is from the real sum
// (near_doubt in lib/rules/sum.hpp). Those elements are compared in vectors; combinations of codes that lie nearer are computed.
#pragma once
#include <optional>

#include "verifier/streamed.hpp"

namespace lastbit {

/// None when the layer or its cell is not of the kind, or some element differs: two operands of the output's shape, all of 8 bits with
/// one scale, and a rule that near_doubt() knows and that has its ties at the real sum's boundaries.
std::optional<Streamed> judge_byte_sums(const StoredLayer&, const Operator&, const Cell&, const StreamOptions&);

}  // namespace lastbit
