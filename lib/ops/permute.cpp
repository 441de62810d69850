// permute: axes in another order
#include "lib/rules/copy.hpp"
#include "lib/rules/shapes.hpp"

namespace lastbit::ops {
namespace {

void check(const Layer& layer) {
  Shape shape;
  for (const auto a : permute_order(layer)) shape.push_back(layer.in("x").dim(a));
  expect_shape(layer, "y", shape);
}

std::vector<std::int64_t> source(const Layer& layer) { return permuted_index(layer.in("x").shape, permute_order(layer)); }

Result run(const Layer& layer, const Cell&) { return copy_elements(layer.in("x"), source(layer), layer.out().shape); }
Real real(const Layer& layer, const Result&) { return real_copy(layer.in("x"), source(layer)); }

}  // namespace

Operator permute() {
  return {.name = "permute",
          .families = {"move"},
          .formula = "y = x with axis dims[i] at place i",
          .inputs = {{"x", "any"}},
          .outputs = {{"y", "like x"}},
          .attributes = {{"dims", "integers, each axis once"}},
          .rules = {"copy"},
          .check = check,
          .run = run,
          .real = real};
}

}  // namespace lastbit::ops
