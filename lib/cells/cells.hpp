// cells.hpp: parts of tables that several profiles share, one file a family of operators.
#pragma once
#include "lib/profile/profile.hpp"

namespace lastbit::cells {

inline void append(std::vector<Cell>& to, std::vector<Cell> cells) { to.insert(to.end(), cells.begin(), cells.end()); }

/// ATen's quantize, dequantize, requantize, and every moved bit. Later cells win.
std::vector<Cell> pytorch_common();

}  // namespace lastbit::cells
