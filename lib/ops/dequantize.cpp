// dequantize: y = (x - zero_point) * scale
#include "lib/error.hpp"
#include "lib/rules/pointwise.hpp"

namespace lastbit::ops {
namespace {

void check(const Layer& layer) {
  if (!layer.in("x").q.quantized()) throw Error(layer.place + ": input \"x\"", "found no scale, expected one");
  expect_shape(layer, "y", layer.in("x").shape);
}

// rule "float32": f32(f32(scale) * f32(q - zp)); "float64": f32(f64(q - zp) * scale), PyTorch per channel;
// "float64_float_zero_point": f32((f32(q) - f32(zp)) * scale), PyTorch's float qparams.
Result run(const Layer& layer, const Cell& cell) {
  const Tensor& x = layer.in("x");
  const bool wide = cell.get("multiply", "float32") == "float64";
  Result r;
  Computed& y = r.outputs["y"] = float_output(x.shape);
  for (std::size_t i = 0; i < y.f.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    const float difference = x.q.float_zero_point ? static_cast<float>(x.integer(at)) - static_cast<float>(x.zero_point_at(at))
                                                  : static_cast<float>(x.integer(at) - static_cast<std::int64_t>(x.zero_point_at(at)));
    y.f[i] = wide ? static_cast<float>(static_cast<double>(difference) * x.scale_at(at)) : static_cast<float>(x.scale_at(at)) * difference;
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
