// channel_shuffle: channels of groups interleaved: [g, C/g] -> [C/g, g]
#include "lib/error.hpp"
#include "lib/rules/copy.hpp"
#include "lib/rules/shapes.hpp"

namespace lastbit::ops {
namespace {

void check(const Layer& layer) {
  const Tensor& x = layer.in("x");
  const auto groups = layer.attributes.integer("groups");
  if (x.rank() < 2) throw Error(layer.place + ": input \"x\"", "found the shape " + to_string(x.shape) + ", expected [N, C, ...]");
  if (groups < 1 || x.dim(1) % groups) throw Error(layer.place + ": attribute \"groups\"", "found " + std::to_string(groups) + ", expected a divisor of the " + std::to_string(x.dim(1)) + " channels");
  expect_shape(layer, "y", x.shape);
}

std::vector<std::int64_t> source(const Layer& layer) {
  const Tensor& x = layer.in("x");
  const auto groups = layer.attributes.integer("groups");
  std::int64_t inner = 1;
  for (std::int64_t a = 2; a < x.rank(); ++a) inner *= x.dim(a);
  return permuted_index({x.dim(0), groups, x.dim(1) / groups, inner}, {0, 2, 1, 3});
}

Result run(const Layer& layer, const Cell&) { return copy_elements(layer.in("x"), source(layer), layer.out().shape); }
Real real(const Layer& layer, const Result&) { return real_copy(layer.in("x"), source(layer)); }

}  // namespace

Operator channel_shuffle() {
  return {.name = "channel_shuffle",
          .families = {"move"},
          .formula = "y[n, k groups + g] = x[n, g C/groups + k]",
          .inputs = {{"x", "any"}},
          .outputs = {{"y", "like x"}},
          .attributes = {{"groups", "integer >= 1"}},
          .rules = {"copy"},
          .spatial = true,
          .check = check,
          .run = run,
          .real = real};
}

}  // namespace lastbit::ops
