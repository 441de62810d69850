// lstm_gates: see lib/rules/recurrent.cpp
#include "lib/rules/recurrent.hpp"

namespace lastbit::ops {
Operator lstm_gates() { return recurrent_gates(true); }
}  // namespace lastbit::ops
