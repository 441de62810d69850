// flatten: axes start_dim to end_dim become one; the order of elements stays
#include <numeric>

#include "lib/error.hpp"
#include "lib/rules/copy.hpp"
#include "lib/rules/shapes.hpp"

namespace lastbit::ops {
namespace {

Shape shape_of(const Layer& layer) {
  const Tensor& x = layer.in("x");
  if (x.rank() == 0) return {1};
  const auto first = axis_of(layer, "start_dim", layer.attributes.integer("start_dim", 0), x.rank());
  const auto last = axis_of(layer, "end_dim", layer.attributes.integer("end_dim", -1), x.rank());
  if (first > last) throw Error(layer.place + ": attribute \"start_dim\"", "found the axis " + std::to_string(first) + " after end_dim, expected one up to " + std::to_string(last));
  Shape shape(x.shape.begin(), x.shape.begin() + first);
  shape.push_back(1);
  for (auto a = first; a <= last; ++a) shape.back() *= x.dim(a);
  shape.insert(shape.end(), x.shape.begin() + last + 1, x.shape.end());
  return shape;
}

void check(const Layer& layer) { expect_shape(layer, "y", shape_of(layer)); }

std::vector<std::int64_t> source(const Layer& layer) {
  std::vector<std::int64_t> from(static_cast<std::size_t>(layer.in("x").size()));
  std::iota(from.begin(), from.end(), 0);
  return from;
}

Result run(const Layer& layer, const Cell&) { return copy_elements(layer.in("x"), source(layer), layer.out().shape); }
Real real(const Layer& layer, const Result&) { return real_copy(layer.in("x"), source(layer)); }

}  // namespace

Operator flatten() {
  return {.name = "flatten",
          .families = {"move"},
          .formula = "y[i] = x[i], i counting elements in order",
          .inputs = {{"x", "any"}},
          .outputs = {{"y", "like x"}},
          .attributes = {{"start_dim", "integer (0)"}, {"end_dim", "integer (-1)"}},
          .rules = {"copy"},
          .check = check,
          .run = run,
          .real = real};
}

}  // namespace lastbit::ops
