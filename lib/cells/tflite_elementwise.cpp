// tflite_elementwise.cpp: elementwise operators of LiteRT's own kernels.
#include "lib/cells/cells.hpp"

namespace lastbit::cells {

std::vector<Cell> tflite_elementwise() { return {}; }
std::vector<Cell> tflite_builtin_elementwise() { return {}; }

}  // namespace lastbit::cells
