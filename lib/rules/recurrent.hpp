// recurrent.hpp: dynamic LSTM and GRU layers, one direction, and their gates alone.
#pragma once
#include "lib/layer/operator.hpp"

namespace lastbit {

/// lstm_dynamic (4 gates: i, f, g, o) or gru_dynamic (3: r, z, n). x is quantized once over all steps, h at every step. The linear
/// layers are exact; the gates are ranges. Every step starts from the hidden state that the runtime wrote (its output of the
/// step before), so that a step is judged by itself; the cell state is not written and carries its range along.
Operator recurrent_layer(bool lstm);
/// lstm_gates (ih, hh, c) or gru_gates (ih, hh, h).
Operator recurrent_gates(bool lstm);

}  // namespace lastbit
