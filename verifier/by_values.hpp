// by_values.hpp: a float tensor that is quantized, judged by the real quotient of every element.
//
//   v = x / scale + zero_point
//
// Every named rule (lib/rules/quantize_value.hpp) gives the integer next to v wherever v is not near the middle between two: each has at
// most four float32 roundings of |v| <= 1024. Elements that are near, or not tame, are laid out as a row and computed by the rule itself, the
// rivals' rules too.
#pragma once
#include <optional>

#include "verifier/streamed.hpp"

namespace lastbit {

/// None when the layer or its cell is not of the kind, or some element differs: "quantize" of float32 to 8 bits with one scale and an
/// integer zero point.
std::optional<Streamed> judge_values(const StoredLayer&, const Operator&, const Cell&, const StreamOptions&);

}  // namespace lastbit
