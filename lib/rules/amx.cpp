// amx.cpp: see amx.hpp.
#include "lib/rules/amx.hpp"

#include <algorithm>

#include "lib/error.hpp"
#include "lib/rules/conv_facts.hpp"

namespace lastbit {

Cell with_product(Cell cell) {
  const auto multiplies = [](const std::string& stage) { return stage.rfind("multiply ", 0) == 0; };
  const auto first = std::find_if(cell.stages.begin(), cell.stages.end(), multiplies);
  ensure(first != cell.stages.end() && first + 1 != cell.stages.end() && multiplies(first[1]) && cell.with.count("product"),
         "a cell without two multiplications and their product");
  *first = "multiply " + cell.with.at("product");
  cell.stages.erase(first + 1);
  return cell;
}

Result either_order(const Layer& layer, const Cell& cell, const Geometry& g, const Shape& shape) {
  Cell one = cell;
  one.rule = "accumulate";
  Result result = run_convolution(layer, one, g, shape);
  const auto it = result.outputs.find("y");
  if (it == result.outputs.end() || it->second.q.empty()) return result;
  Computed& y = it->second;
  const Result other = run_convolution(layer, with_product(one), g, shape);
  const auto& q = other.outputs.at("y").q;
  if (y.events.empty()) y.events.resize(y.q.size());
  for (std::size_t i = 0; i < y.q.size(); ++i) {
    if (y.q[i] == q[i]) continue;
    y.undefined.push_back({static_cast<std::int64_t>(i), static_cast<double>(std::min(y.q[i], q[i])), static_cast<double>(std::max(y.q[i], q[i]))});
    y.events[i] |= event::undefined;
  }
  return result;
}

}  // namespace lastbit
