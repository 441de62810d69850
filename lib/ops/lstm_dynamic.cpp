// lstm_dynamic: see lib/rules/recurrent.cpp
#include "lib/rules/recurrent.hpp"

namespace lastbit::ops {
Operator lstm_dynamic() { return recurrent_layer(true); }
}  // namespace lastbit::ops
