// flip: some axes run backwards
#include <algorithm>

#include "lib/error.hpp"
#include "lib/rules/copy.hpp"
#include "lib/rules/shapes.hpp"

namespace lastbit::ops {
namespace {

std::vector<std::vector<std::int64_t>> positions(const Layer& layer) {
  const Tensor& x = layer.in("x");
  std::vector<std::int64_t> flipped = layer.attributes.list("dims");
  if (!flipped.empty()) flipped = reduced_axes(layer, "dims", x.rank());  // none named: none flipped
  std::vector<std::vector<std::int64_t>> all;
  for (std::int64_t a = 0; a < x.rank(); ++a) {
    all.emplace_back();
    for (std::int64_t i = 0; i < x.dim(a); ++i) all.back().push_back(i);
    if (std::binary_search(flipped.begin(), flipped.end(), a)) std::reverse(all.back().begin(), all.back().end());
  }
  return all;
}

void check(const Layer& layer) {
  positions(layer);
  expect_shape(layer, "y", layer.in("x").shape);
}

std::vector<std::int64_t> source(const Layer& layer) { return moved_index(layer.in("x").shape, layer.out().shape, positions(layer)); }

Result run(const Layer& layer, const Cell&) { return copy_elements(layer.in("x"), source(layer), layer.out().shape); }
Real real(const Layer& layer, const Result&) { return real_copy(layer.in("x"), source(layer)); }

}  // namespace

Operator flip() {
  return {.name = "flip",
          .families = {"move"},
          .formula = "y = x with the axes dims reversed",
          .inputs = {{"x", "any"}},
          .outputs = {{"y", "like x"}},
          .attributes = {{"dims", "integers, each axis once"}},
          .rules = {"copy"},
          .check = check,
          .run = run,
          .real = real};
}

}  // namespace lastbit::ops
