// explain_recurrent.hpp: one element of a recurrent layer: the products of every gate, their sums, stages and functions.
#pragma once
#include "verifier/explain.hpp"

namespace lastbit {

/// lstm_dynamic, gru_dynamic, lstm_gates, gru_gates.
bool is_recurrent(const Layer&);
/// `most`: products shown of all gates together, the largest first.
void explain_recurrent(const Layer&, const Cell&, const std::string& output, std::int64_t element, std::size_t most, Explanation&);

}  // namespace lastbit
