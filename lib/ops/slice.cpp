// slice: every step-th element of one axis; start and end as Python counts them
#include <algorithm>
#include <numeric>

#include "lib/error.hpp"
#include "lib/rules/copy.hpp"
#include "lib/rules/shapes.hpp"

namespace lastbit::ops {
namespace {

std::vector<std::vector<std::int64_t>> positions(const Layer& layer) {
  const Tensor& x = layer.in("x");
  const auto dim = axis_of(layer, "dim", layer.attributes.integer("dim", 0), x.rank());
  const auto step = layer.attributes.integer("step", 1), size = x.dim(dim);
  if (step < 1) throw Error(layer.place + ": attribute \"step\"", "found " + std::to_string(step) + ", expected at least 1");
  const auto place = [&](std::int64_t v) { return v < 0 ? std::max<std::int64_t>(std::max<std::int64_t>(v, -size) + size, 0) : std::min(v, size); };
  const auto start = place(layer.attributes.integer("start", 0)), end = place(layer.attributes.integer("end", size));
  std::vector<std::vector<std::int64_t>> all;
  for (std::int64_t a = 0; a < x.rank(); ++a) {
    all.emplace_back();
    if (a != dim) {
      all.back().resize(static_cast<std::size_t>(x.dim(a)));
      std::iota(all.back().begin(), all.back().end(), 0);
    } else if (start < end) {
      const std::int64_t n = (end - start - 1) / step + 1;
      for (std::int64_t i = 0; i < n; ++i) all.back().push_back(start + i * step);
    }
  }
  return all;
}

void check(const Layer& layer) {
  Shape shape;
  for (const auto& axis : positions(layer)) shape.push_back(static_cast<std::int64_t>(axis.size()));
  expect_shape(layer, "y", shape);
}

std::vector<std::int64_t> source(const Layer& layer) { return moved_index(layer.in("x").shape, layer.out().shape, positions(layer)); }

Result run(const Layer& layer, const Cell&) { return copy_elements(layer.in("x"), source(layer), layer.out().shape); }
Real real(const Layer& layer, const Result&) { return real_copy(layer.in("x"), source(layer)); }

}  // namespace

Operator slice() {
  return {.name = "slice",
          .families = {"move"},
          .formula = "y = x[start:end:step] along dim",
          .inputs = {{"x", "any"}},
          .outputs = {{"y", "like x"}},
          .attributes = {{"dim", "integer (0)"}, {"start", "integer (0)"}, {"end", "integer (all)"}, {"step", "integer >= 1 (1)"}},
          .rules = {"copy"},
          .check = check,
          .run = run,
          .real = real};
}

}  // namespace lastbit::ops
