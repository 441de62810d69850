// recurrent.hpp: dynamic LSTM and GRU layers, one direction, and their gates alone.
#pragma once
#include <optional>
#include <utility>
#include <vector>

#include "lib/rules/accumulation.hpp"
#include "lib/rules/float_sum.hpp"

namespace lastbit {

/// lstm_dynamic (4 gates: i, f, g, o) or gru_dynamic (3: r, z, n). x is quantized once over all steps, h at every step. The linear
/// layers are exact; the gates are ranges. Every step starts from the hidden state that the runtime wrote (its output of the
/// step before), so that a step is judged by itself; the cell state is not written and carries its range along.
Operator recurrent_layer(bool lstm);
/// lstm_gates (ih, hh, c) or gru_gates (ih, hh, h).
Operator recurrent_gates(bool lstm);

/// One linear_dynamic inside a recurrent layer, as a static one: [rows, I] times weight_ih over all steps, or the hidden state before
/// a step, as the runtime wrote it, times weight_hh.
struct RecurrentLinear {
  Layer layer;
  Cell cell;
  Geometry geometry;
  AccumulationInput operands;
};
/// `step`: whose hidden state; none: of x.
RecurrentLinear recurrent_linear(const Layer&, const Cell&, std::optional<std::int64_t> step);

/// The first step of a layer alone: elements of y with their ranges. x is quantized over all steps, as ever.
std::vector<std::pair<std::size_t, FloatRange>> recurrent_first_step(const Layer&, const Cell&);

/// What one element of a recurrent operator is made from, by gate: what came from the input and from the hidden state.
struct RecurrentElement {
  std::int64_t step = 0, row = 0, unit = 0;  // of a layer: which step, which sample, which hidden unit
  std::int64_t input_row = 0;                // the sample's row among those of x
  std::vector<float> input, hidden;
  float h_before = 0;                        // gru
  FloatRange c_before{}, c{}, h{};           // c: lstm
};
/// Element of "y", "h_n", "c_n" of a layer (of at least one step), or of "h_out", "c_out" of gates.
RecurrentElement recurrent_element(const Layer&, const Cell&, const std::string& output, std::int64_t element);

}  // namespace lastbit
