// by_codes.hpp: a layer whose every element is a function of its own stored bytes, judged by the codes that occur.
//
// One or two bytes have few values. The operator computes each combination that occurs once, by its own rule, laid out as a row long
// enough that its kernel's vectors run over it; the tensors themselves are only looked up and compared. Where a row ends before a
// vector does, its last elements are computed as they are. The same few values tell every rival apart.
#pragma once
#include <optional>

#include "verifier/streamed.hpp"

namespace lastbit {

/// None when the layer or its cell is not of the kind, or some element differs or has no known value: 8-bit operands ("x", or "a" and "b" of
/// the output's shape) with one scale, an 8-bit output, operators that work element by element.
std::optional<Streamed> judge_codes(const StoredLayer&, const Operator&, const Cell&, const StreamOptions&);

}  // namespace lastbit
