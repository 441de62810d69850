// transpose: two axes exchanged
#include <numeric>

#include "lib/error.hpp"
#include "lib/rules/copy.hpp"
#include "lib/rules/shapes.hpp"

namespace lastbit::ops {
namespace {

std::vector<std::int64_t> order_of(const Layer& layer) {
  const auto rank = layer.in("x").rank();
  std::vector<std::int64_t> order(static_cast<std::size_t>(rank));
  std::iota(order.begin(), order.end(), 0);
  const auto a = axis_of(layer, "dim0", layer.attributes.integer("dim0"), rank), b = axis_of(layer, "dim1", layer.attributes.integer("dim1"), rank);
  std::swap(order[static_cast<std::size_t>(a)], order[static_cast<std::size_t>(b)]);
  return order;
}

void check(const Layer& layer) {
  Shape shape;
  for (const auto a : order_of(layer)) shape.push_back(layer.in("x").dim(a));
  expect_shape(layer, "y", shape);
}

std::vector<std::int64_t> source(const Layer& layer) { return permuted_index(layer.in("x").shape, order_of(layer)); }

Result run(const Layer& layer, const Cell&) { return copy_elements(layer.in("x"), source(layer), layer.out().shape); }
Real real(const Layer& layer, const Result&) { return real_copy(layer.in("x"), source(layer)); }

}  // namespace

Operator transpose() {
  return {.name = "transpose",
          .families = {"move"},
          .formula = "y = x with axes dim0 and dim1 exchanged",
          .inputs = {{"x", "any"}},
          .outputs = {{"y", "like x"}},
          .attributes = {{"dim0", "integer"}, {"dim1", "integer"}},
          .rules = {"copy"},
          .check = check,
          .run = run,
          .real = real};
}

}  // namespace lastbit::ops
