// dequantize: y = (x - zero_point) * scale
#include "lib/error.hpp"
#include "lib/num/float.hpp"
#include "lib/num/int.hpp"
#include "lib/rules/pointwise.hpp"
#include "lib/rules/vector_width.hpp"

namespace lastbit::ops {
namespace {

void check(const Layer& layer) {
  if (!layer.in("x").q.quantized()) throw Error(layer.place + ": input \"x\"", "found no scale, expected one");
  expect_shape(layer, "y", layer.in("x").shape);
}

/// Cell parameter multiply:
///   float32   f32(f32(scale) * f32(wrap32(q - zp)))
///   float64   f32(f64(q - zp) * scale)                           PyTorch per channel
///   split     f32(f32(q * s) + f32(-zp * s)), not fused           TFLite's vectors of 8 (cell parameter vector); the rest: float64
///   split_fused   fma(q, s, f32(-zp * s))                         the same on ARM (vfmaq_f32)
/// A float zero point is taken off in float32 first: f32(f32(q) - zp).
enum class Multiply { single, wide, split, split_fused };

Multiply multiply_rule(const std::string& name, const std::string& place) {
  if (name == "float32") return Multiply::single;
  if (name == "float64") return Multiply::wide;
  if (name == "split") return Multiply::split;
  if (name == "split_fused") return Multiply::split_fused;
  throw Error(place, "found the dequantize rule \"" + name + "\", expected float32, float64, split or split_fused");
}

float dequantize_value(Multiply rule, std::int64_t q, double scale, double zero_point, bool float_zero_point) {
  const float s = static_cast<float>(scale), zf = static_cast<float>(zero_point);
  if (rule == Multiply::split_fused) return fused(static_cast<float>(q), s, -zf * s);
  if (rule == Multiply::split) {
    const float product = static_cast<float>(q) * s, shift = -zf * s;
    return product + shift;
  }
  const std::int64_t apart = float_zero_point ? 0 : q - static_cast<std::int64_t>(zero_point);
  const float difference = float_zero_point ? static_cast<float>(q) - zf : static_cast<float>(rule == Multiply::single ? wrap32(apart) : apart);
  return rule == Multiply::wide ? static_cast<float>(static_cast<double>(difference) * scale) : s * difference;
}

Result run(const Layer& layer, const Cell& cell) {
  const Tensor& x = layer.in("x");
  const Multiply rule = multiply_rule(cell.get("multiply", "float32"), layer.place);
  const std::int64_t width = vector_width(layer, cell, 1), body = x.size() - x.size() % width;
  const bool half = layer.out().dtype == DType::float16;
  Result r;
  Computed& y = r.outputs["y"] = float_output(x.shape);
  for (std::int64_t i = 0; i < x.size(); ++i) {
    const float v = dequantize_value(i < body ? rule : Multiply::wide, x.integer(i), x.scale_at(i), x.zero_point_at(i), x.q.float_zero_point);
    y.f[static_cast<std::size_t>(i)] = half ? half_to_float(float_to_half(v)) : v;
  }
  return r;
}

Real real(const Layer& layer, const Result&) {
  const Tensor& x = layer.in("x");
  return pointwise(x.size(), [&x]<class T>(std::int64_t i) { return dequantized<T>(x, i); });
}

void facts(const Layer& layer, std::set<std::string>& f) {
  const auto& q = layer.in("x").q;
  if (q.axis >= 0 || q.scale.size() > 1) f.insert("x_per_channel");
  if (q.group_size > 0) f.insert("x_grouped");
  if (q.float_zero_point) f.insert("x_float_zero_point");
}

}  // namespace

Operator dequantize() {
  return {.name = "dequantize",
          .families = {},
          .formula = "y = (x - zero_point) * scale",
          .inputs = {{"x", "any quantized tensor"}},
          .outputs = {{"y", "float32"}},
          .attributes = {{"variant", "decomposed, decomposed_per_token (PT2E)"}},
          .rules = {"dequantize"},
          .check = check,
          .run = run,
          .real = real,
          .facts = facts};
}

}  // namespace lastbit::ops
