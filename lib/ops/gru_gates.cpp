// gru_gates: see lib/rules/recurrent.cpp
#include "lib/rules/recurrent.hpp"

namespace lastbit::ops {
Operator gru_gates() { return recurrent_gates(false); }
}  // namespace lastbit::ops
