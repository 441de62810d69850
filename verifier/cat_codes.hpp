// cat_codes.hpp: bytes side by side, each brought to the output's qparams, judged by the codes that occur in each part.
#pragma once
#include <optional>

#include "verifier/streamed.hpp"

namespace lastbit {

/// None when the layer or its cell is not of the kind, or some element differs: "cat" of 8-bit tensors with one scale each.
std::optional<Streamed> judge_cat(const StoredLayer&, const Operator&, const Cell&, const StreamOptions&);

}  // namespace lastbit
