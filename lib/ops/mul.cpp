// mul: y = requantize((a - za) * (b - zb)), with NumPy's broadcasting. The product of two 8-bit differences fits float32, so a
// profile's stages say everything: si is a's scale, sw is b's.
//
// With "int16_vector" N (LiteRT's NEON kernels, on x86 too) the stages end before the zero point: in vectors of N the scaled
// product is saturated to int16 and the zero point added in wrapping int16, so what is far beyond the range may come out at its
// other end.
#include <algorithm>
#include <charconv>

#include "lib/error.hpp"
#include "lib/rules/pointwise.hpp"
#include "lib/rules/sum.hpp"
#include "lib/rules/tensor_iterator.hpp"

namespace lastbit::ops {
namespace {

Result run(const Layer& layer, const Cell& cell) {
  const Tensor &a = layer.in("a"), &b = layer.in("b"), &out = layer.out();
  const Range range = activated_range(layer, out, cell.get("bound") == "half_away" ? Rounding::half_away : Rounding::half_even);
  RequantizeContext context;
  context.min = range.min, context.max = range.max;
  context.channels.push_back({{"si", a.q.scale_of(0)}, {"sw", b.q.scale_of(0)}, {"so", out.q.scale_of(0)}, {"zi", a.q.zero_point_of(0)}, {"zo", out.q.zero_point_of(0)}, {"bias", 0.0}, {"alpha", 1.0}});
  const Requantizer requantize(cell.stages, context, layer.place);
  const auto ia = broadcast_index(a.shape, out.shape), ib = broadcast_index(b.shape, out.shape);
  const auto qa = a.i32(), qb = b.i32();
  const std::int64_t za = a.q.integer_zero_point(), zb = b.q.integer_zero_point();
  Result r;
  Computed& y = r.outputs["y"] = quantized_output(out.shape);
  y.acc.resize(y.q.size());
  std::int64_t block = 0;
  const std::string text = cell.get("int16_vector", "0");
  std::from_chars(text.data(), text.data() + text.size(), block);
  const auto body = block > 0 ? vector_body(out.shape, {strides_of(out.shape), stored_strides(a, out.shape), stored_strides(b, out.shape)}, block) : std::vector<char>();
  const std::int64_t zo = out.q.integer_zero_point();
  for (std::size_t i = 0; i < y.q.size(); ++i) {
    y.acc[i] = (qa[static_cast<std::size_t>(ia[i])] - za) * (qb[static_cast<std::size_t>(ib[i])] - zb);
    std::int64_t v = requantize(y.acc[i], 0, y.events[i]);
    if (block > 0) {
      const std::int64_t sum = (body[i] ? saturate(v, 16) : v) + zo;
      v = body[i] ? wrap(sum, 16) : sum;
      if (v != sum) y.events[i] |= event::wrapped;
      if (v < range.min || v > range.max) y.events[i] |= event::clamped;
      v = std::clamp(v, range.min, range.max);
    }
    y.q[i] = static_cast<std::int32_t>(v);
  }
  if (!y.acc.empty()) {
    const auto [lo, hi] = std::minmax_element(y.acc.begin(), y.acc.end());
    r.acc_min = *lo, r.acc_max = *hi;
  }
  return r;
}

Real real(const Layer& layer, const Result&) {
  const Tensor &a = layer.in("a"), &b = layer.in("b"), &y = layer.out();
  const auto ia = std::make_shared<const std::vector<std::int64_t>>(broadcast_index(a.shape, y.shape)), ib = std::make_shared<const std::vector<std::int64_t>>(broadcast_index(b.shape, y.shape));
  return pointwise(y.size(), [&a, &b, ia, ib]<class T>(std::int64_t i) -> T {
    return dequantized<T>(a, (*ia)[static_cast<std::size_t>(i)]) * dequantized<T>(b, (*ib)[static_cast<std::size_t>(i)]);
  });
}

}  // namespace

Operator mul() {
  return {.name = "mul",
          .families = {},
          .formula = "y = requantize((a - za) * (b - zb))",
          .inputs = {{"a", "uint8, int8, int16"}, {"b", "like a; NumPy's broadcasting"}},
          .outputs = {{"y", "like a"}},
          .attributes = {{"activation", "none, relu, relu6 or {min, max}"}},
          .rules = {"stages"},
          .check = check_sum,
          .run = run,
          .real = real,
          .facts = facts_of_sum};
}

}  // namespace lastbit::ops
