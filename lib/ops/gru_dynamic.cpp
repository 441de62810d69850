// gru_dynamic: see lib/rules/recurrent.cpp
#include "lib/rules/recurrent.hpp"

namespace lastbit::ops {
Operator gru_dynamic() { return recurrent_layer(false); }
}  // namespace lastbit::ops
