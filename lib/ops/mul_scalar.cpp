// mul_scalar: y = a * other. ATen changes the scale and keeps the integers; a negative factor mirrors them, q' = qmax + qmin - q
#include <algorithm>
#include <cmath>

#include "lib/error.hpp"
#include "lib/rules/aten_kernel.hpp"
#include "lib/rules/pointwise.hpp"

namespace lastbit::ops {
namespace {

void check(const Layer& layer) {
  const Tensor &a = layer.in("a"), &y = layer.out();
  if (is_float(a.dtype) || info(a.dtype).bits > 16 || a.q.scale.size() != 1 || y.dtype != a.dtype || y.q.scale.size() != 1)
    throw Error(layer.place, "found " + std::string(name(a.dtype)) + " to " + std::string(name(y.dtype)) + ", expected one integer type of at most 16 bits with one scale each");
  if (!std::isfinite(layer.attributes.number("other") * a.q.scale_of(0))) throw Error(layer.place + ": attribute \"other\"", "found a factor that makes the scale infinite, expected a smaller one");
  expect_shape(layer, "y", a.shape);
}

Result run(const Layer& layer, const Cell&) {
  const Tensor &a = layer.in("a"), &out = layer.out();
  const auto& type = info(a.dtype);
  const double other = layer.attributes.number("other"), s = a.q.scale_of(0);
  const std::int64_t z = a.q.integer_zero_point(), zero_point = other > 0 ? z : other == 0 ? 0 : type.max - (z - type.min);
  const bool relu = layer.attributes.text("activation", "none") == "relu";
  Result r = map_values(a, out.shape, [&](std::int64_t q) {
    Mapped m;
    std::int64_t v = other > 0 ? q : other == 0 ? 0 : type.max + type.min - q;
    if (relu && v < zero_point) v = zero_point, m.events |= event::clamped;
    m.q = static_cast<std::int32_t>(v);
    return m;
  });
  Quantization chosen;
  chosen.scale = {other == 0 ? 1.0 : std::fabs(other) * s};
  chosen.zero_point = {static_cast<double>(zero_point)};
  r.outputs["y"].chosen = chosen;
  return r;
}

Real real(const Layer& layer, const Result&) {
  const Tensor& a = layer.in("a");
  const double other = layer.attributes.number("other");
  return pointwise(a.size(), [&a, other]<class T>(std::int64_t i) -> T { return dequantized<T>(a, i) * T(other); });
}

}  // namespace

Operator mul_scalar() {
  return {.name = "mul_scalar",
          .families = {},
          .formula = "y = a * other, the output's qparams chosen",
          .inputs = {{"a", "uint8, int8"}},
          .outputs = {{"y", "like a; its qparams are checked"}},
          .attributes = {{"other", "number"}, {"activation", "none or relu"}},
          .rules = {"rescale"},
          .check = check,
          .run = run,
          .real = real};
}

}  // namespace lastbit::ops
