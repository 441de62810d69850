// xnnpack_elementwise.cpp: elementwise operators of XNNPACK.
#include "lib/cells/cells.hpp"

namespace lastbit::cells {

std::vector<Cell> xnnpack_elementwise() { return {}; }

}  // namespace lastbit::cells
