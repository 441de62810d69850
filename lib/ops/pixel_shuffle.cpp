// pixel_shuffle: channels become pixels: [N, C r r, H, W] -> [N, C, H r, W r]
#include "lib/error.hpp"
#include "lib/rules/copy.hpp"
#include "lib/rules/shapes.hpp"

namespace lastbit::ops {
namespace {

struct Sizes {
  Shape outer;
  std::int64_t r, c, h, w;
};

Sizes sizes_of(const Layer& layer) {
  const Tensor& x = layer.in("x");
  const auto r = layer.attributes.integer("upscale_factor");
  if (x.rank() < 3) throw Error(layer.place + ": input \"x\"", "found the shape " + to_string(x.shape) + ", expected [..., C, H, W]");
  if (r < 1 || r > 32768 || x.dim(-3) % (r * r))
    throw Error(layer.place + ": attribute \"upscale_factor\"", "found " + std::to_string(r) + ", expected one whose square divides the " + std::to_string(x.dim(-3)) + " channels");
  return {Shape(x.shape.begin(), x.shape.end() - 3), r, x.dim(-3) / (r * r), x.dim(-2), x.dim(-1)};
}

void check(const Layer& layer) {
  const Sizes s = sizes_of(layer);
  Shape shape = s.outer;
  shape.insert(shape.end(), {s.c, s.h * s.r, s.w * s.r});
  expect_shape(layer, "y", shape);
}

std::vector<std::int64_t> source(const Layer& layer) {
  const Sizes s = sizes_of(layer);  // [n, c, i, j, h, w] read as [n, c, h, i, w, j]
  return permuted_index({count(s.outer), s.c, s.r, s.r, s.h, s.w}, {0, 1, 4, 2, 5, 3});
}

Result run(const Layer& layer, const Cell&) { return copy_elements(layer.in("x"), source(layer), layer.out().shape); }
Real real(const Layer& layer, const Result&) { return real_copy(layer.in("x"), source(layer)); }

}  // namespace

Operator pixel_shuffle() {
  return {.name = "pixel_shuffle",
          .families = {"move"},
          .formula = "y[n, c, h r + i, w r + j] = x[n, c r r + i r + j, h, w]",
          .inputs = {{"x", "any"}},
          .outputs = {{"y", "like x"}},
          .attributes = {{"upscale_factor", "integer >= 1"}},
          .rules = {"copy"},
          .spatial = true,
          .check = check,
          .run = run,
          .real = real};
}

}  // namespace lastbit::ops
