// sum_stage.cpp: see sum_stage.hpp.
#include "verifier/sum_stage.hpp"

#include <algorithm>

namespace lastbit {

std::ptrdiff_t sum_stage(const std::vector<std::string>& stages) {
  return std::find_if(stages.begin(), stages.end(), [](const std::string& s) { return s.rfind("sum ", 0) == 0; }) - stages.begin();
}

Cell with_sum(const Layer& layer, Cell cell) {
  if (layer.op != "conv2d_add" || sum_stage(cell.stages) < static_cast<std::ptrdiff_t>(cell.stages.size())) return cell;
  cell.stages.insert(cell.stages.end(), {"sum " + cell.get("sum", "fused"), "activation", "multiply " + cell.get("inverse"), "zero_point", "clamp", "round half_even int_min"});
  return cell;
}

Cell without_sum(Cell cell) {
  cell.stages.erase(cell.stages.begin() + sum_stage(cell.stages), cell.stages.end());
  return cell;
}

}  // namespace lastbit
