// prelu: y = x > 0 ? x : x * weight, weight one value a channel (axis 1) or NumPy's broadcasting
#include <algorithm>

#include "lib/error.hpp"
#include "lib/num/float.hpp"
#include "lib/rules/aten_kernel.hpp"
#include "lib/rules/limits.hpp"
#include "lib/rules/pointwise.hpp"
#include "lib/rules/quantize_value.hpp"

namespace lastbit::ops {
namespace {

/// The weight's shape among x's axes: PyTorch lays a 1-d weight along axis 1.
Shape weight_shape(const Layer& layer) {
  const Tensor &x = layer.in("x"), &w = layer.in("weight");
  if (w.rank() != 1 || x.rank() < 2) return w.shape;
  Shape s(x.shape.size(), 1);
  s[1] = w.dim(0);
  return s;
}

std::vector<std::int64_t> weight_index(const Layer& layer) { return broadcast_index(weight_shape(layer), layer.in("x").shape); }

void check(const Layer& layer) {
  check_activation(layer);
  const Tensor &x = layer.in("x"), &w = layer.in("weight");
  if (is_float(w.dtype) || info(w.dtype).bits > 16 || w.q.scale.size() != 1) throw Error(layer.place + ": input \"weight\"", "found " + std::string(name(w.dtype)) + " with " + std::to_string(w.q.scale.size()) + " scales, expected an integer type of at most 16 bits and one scale");
  if (broadcast_shape(layer, x.shape, weight_shape(layer)) != x.shape) throw Error(layer.place + ": input \"weight\"", "found the shape " + to_string(w.shape) + ", expected one that broadcasts to " + to_string(x.shape));
}

// aten    acc = max(q - zi, 0) * (one - zw) + min(q - zi, 0) * (w - zw), one = 1.0 quantized as a weight by "tail";
//         y = clamp(rne(f32(acc) * f32(f32(si * sw) * (1 / so))) + zo)
// fixed   q >= zi: (q - zi) by the multiplier "positive", else (q - zi) * (w - zw) by "negative"; fixed-point rule "fixed"
Result run(const Layer& layer, const Cell& cell) {
  const Tensor &x = layer.in("x"), &w = layer.in("weight"), &out = layer.out();
  const auto index = weight_index(layer);
  const auto qx = x.i32(), qw = w.i32();
  const std::int64_t zi = x.q.integer_zero_point(), zw = w.q.integer_zero_point(), zo = out.q.integer_zero_point();
  const Range range = stored_range(out);
  Result r;
  Computed& y = r.outputs["y"] = quantized_output(out.shape);
  if (cell.rule == "fixed") {
    RequantizeContext context = activation_context(layer, range);
    context.channels[0]["sw"] = w.q.scale_of(0);
    const auto by = [&](const char* key) { return Requantizer({"fixed " + cell.get("fixed", "double_away") + " " + cell.get(key), "zero_point", "clamp"}, context, layer.place); };
    const Requantizer positive = by("positive"), negative = by("negative");
    for (std::size_t i = 0; i < y.q.size(); ++i) {
      const std::int64_t v = qx[i] - zi;
      y.q[i] = static_cast<std::int32_t>(v >= 0 ? positive(v, 0, y.events[i]) : negative(v * (qw[static_cast<std::size_t>(index[i])] - zw), 0, y.events[i]));
    }
    return r;
  }
  const float so = static_cast<float>(out.q.scale_of(0)), multiplier = static_cast<float>(x.q.scale_of(0)) * static_cast<float>(w.q.scale_of(0)) * inverse(so);
  Events ignored = 0;
  const std::int64_t one = quantize_value(quantize_rule(cell.get("tail", "outside"), layer.place), 1.0f, w.q.scale_of(0), static_cast<double>(zw), stored_range(w), ignored) - zw;
  for (std::size_t i = 0; i < y.q.size(); ++i) {
    const std::int64_t v = qx[i] - zi, acc = std::max<std::int64_t>(v, 0) * one + std::min<std::int64_t>(v, 0) * (qw[static_cast<std::size_t>(index[i])] - zw);
    y.q[i] = static_cast<std::int32_t>(requantize_from_int(acc, multiplier, zo, true, range, y.events[i]));
  }
  return r;
}

Real real(const Layer& layer, const Result&) {
  const Tensor &x = layer.in("x"), &w = layer.in("weight");
  const auto index = std::make_shared<const std::vector<std::int64_t>>(weight_index(layer));
  return pointwise(x.size(), [&x, &w, index]<class T>(std::int64_t i) -> T {
    const T v = dequantized<T>(x, i);
    return v > T(0) ? v : v * dequantized<T>(w, (*index)[static_cast<std::size_t>(i)]);
  });
}

}  // namespace

Operator prelu() {
  return {.name = "prelu",
          .families = {},
          .formula = "y = x > 0 ? x : x * weight",
          .inputs = {{"x", "uint8, int8"}, {"weight", "like x; [C], or NumPy's broadcasting"}},
          .outputs = {{"y", "like x"}},
          .attributes = {},
          .rules = {"aten", "fixed"},
          .check = check,
          .run = run,
          .real = real};
}

}  // namespace lastbit::ops
