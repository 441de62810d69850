// add_scalar: y = a + other, other rounded to a's step: c = rne(other / sa). ATen moves the zero point instead of the integers
// while it stays in the type's range; else it chooses a scale that reaches as far, and requantizes.
#include <algorithm>

#include "lib/error.hpp"
#include "lib/num/float.hpp"
#include "lib/rules/aten_kernel.hpp"
#include "lib/rules/pointwise.hpp"
#include "lib/rules/tensor_iterator.hpp"

namespace lastbit::ops {
namespace {

constexpr double largest = 2147483647.0;

std::int64_t steps(const Layer& layer) { return rne(layer.attributes.number("other") / layer.in("a").q.scale_of(0)); }

void check(const Layer& layer) {
  const Tensor &a = layer.in("a"), &y = layer.out();
  if (is_float(a.dtype) || info(a.dtype).bits > 16 || a.q.scale.size() != 1 || y.dtype != a.dtype || y.q.scale.size() != 1)
    throw Error(layer.place, "found " + std::string(name(a.dtype)) + " to " + std::string(name(y.dtype)) + ", expected one integer type of at most 16 bits with one scale each");
  const double c = layer.attributes.number("other") / a.q.scale_of(0);
  if (!(c >= -largest && c <= largest)) throw Error(layer.place + ": attribute \"other\"", "found a number of " + std::to_string(c) + " steps of a, expected one within int32");
  expect_shape(layer, "y", a.shape);
}

Result run(const Layer& layer, const Cell& cell) {
  const Tensor &a = layer.in("a"), &out = layer.out();
  const auto& type = info(a.dtype);
  const std::int64_t c = steps(layer), z = a.q.integer_zero_point(), moved = z - c;
  const double s = a.q.scale_of(0), span = static_cast<double>(type.max) - static_cast<double>(type.min);
  const bool relu = layer.attributes.text("activation", "none") == "relu";
  double scale = s;
  std::int64_t zero_point = moved;
  if (moved < type.min) scale = static_cast<double>(type.max - moved) / span * s, zero_point = type.min;
  else if (moved > type.max) scale = static_cast<double>(moved - type.min) / span * s, zero_point = type.max;
  const bool copies = zero_point == moved;
  const float multiplier = static_cast<float>(s) * inverse(static_cast<float>(scale));
  const AtenKernel kernel(layer, cell, out);
  const auto strides = memory_strides(a);
  const Range range{type.min, type.max};
  Result r = map_values(a, out.shape, vector_body(a.shape, {strides, strides}, kernel.block()), [&](std::int64_t q, bool body) {
    Mapped m;
    std::int64_t v = copies ? q : requantize_from_int(q - z + c, multiplier, zero_point, body, range, m.events);
    if (relu && v < zero_point) v = zero_point, m.events |= event::clamped;
    m.q = static_cast<std::int32_t>(v);
    return m;
  });
  Quantization chosen;
  chosen.scale = {scale};
  chosen.zero_point = {static_cast<double>(zero_point)};
  r.outputs["y"].chosen = chosen;
  return r;
}

Real real(const Layer& layer, const Result&) {
  const Tensor& a = layer.in("a");
  const double other = layer.attributes.number("other");
  return pointwise(a.size(), [&a, other]<class T>(std::int64_t i) -> T { return dequantized<T>(a, i) + T(other); });
}

}  // namespace

Operator add_scalar() {
  return {.name = "add_scalar",
          .families = {},
          .formula = "y = a + sa * rne(other / sa), the output's qparams chosen",
          .inputs = {{"a", "uint8, int8"}},
          .outputs = {{"y", "like a; its qparams are checked"}},
          .attributes = {{"other", "number"}, {"activation", "none or relu"}},
          .rules = {"aten"},
          .check = check,
          .run = run,
          .real = real};
}

}  // namespace lastbit::ops
