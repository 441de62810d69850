// batch_norm: y = (v - running_mean) / sqrt(running_var + eps) * weight + bias, v = (x - zx) * sx, per channel (axis 1)
//
// One multiplication and one addition per element, by constants of the channel (float32 unless said otherwise):
//   inv   = f32(1.0 / sqrt(f32(running_var + f32(eps))))                       the division in float64
//   alpha = f32(f64(f32(inv * weight)) * (sx / sy))                            the scales in float64
//   beta  = f32(f64(f32(bias - f32(f32(running_mean * inv) * weight))) / sy)
//   fused        v = fma(alpha, x - zx, beta): clamp(rne(v) + zy); with "vector" = W, channels up to the last C % W:
//                clamp(rne(f32(v + zy))), as ARM's vectors of 16 do
//   separate     v = f32(f32(alpha * (x - zx)) + beta); channels up to the last C % 8: clamp(rne(f32(v + zy))), or as
//                "body" says; the others: clamp(rne(v) + zy)
//
//   aten/src/ATen/native/quantized/cpu/Normalization.cpp                compute_fused_params
//   aten/src/ATen/native/quantized/cpu/kernels/QuantizedOpKernels.cpp   q_batch_norm_kernel
#include <algorithm>

#include "lib/error.hpp"
#include "lib/num/float.hpp"
#include "lib/rules/pointwise.hpp"
#include "lib/rules/quantize_value.hpp"
#include "lib/rules/vector_width.hpp"

namespace lastbit::ops {
namespace {

const char* const ports[]{"weight", "bias", "running_mean", "running_var"};

void check(const Layer& layer) {
  const Tensor &x = layer.in("x"), &y = layer.out();
  if (x.rank() < 2) throw Error(layer.place + ": input \"x\"", "found the shape " + to_string(x.shape) + ", expected [N, C, ...]");
  if (is_float(x.dtype) || !x.q.quantized() || is_float(y.dtype) || !y.q.quantized()) throw Error(layer.place, "found a tensor that is not quantized, expected x and y to be");
  for (const char* port : ports) {
    const Tensor* t = layer.find(port);
    if (!t && std::string(port).rfind("running", 0) != 0) continue;
    if (const Tensor& v = layer.in(port); v.shape != Shape{x.dim(1)} || !is_float(v.dtype))
      throw Error(layer.place + ": input \"" + port + "\"", "found " + std::string(name(v.dtype)) + " " + to_string(v.shape) + ", expected float32 [" + std::to_string(x.dim(1)) + "]");
  }
  layer.attributes.number("eps", 1e-5);
  expect_shape(layer, "y", x.shape);
}

struct Channel {
  float alpha, beta;
};

std::vector<Channel> channels_of(const Layer& layer) {
  const Tensor &x = layer.in("x"), &y = layer.out();
  const auto values = [&](const char* port, float otherwise) { return layer.find(port) ? layer.in(port).f32() : std::vector<float>(static_cast<std::size_t>(x.dim(1)), otherwise); };
  const auto weight = values("weight", 1), bias = values("bias", 0), mean = values("running_mean", 0), var = values("running_var", 1);
  const double sx = x.q.scale_of(0), sy = y.q.scale_of(0);
  const float eps = static_cast<float>(layer.attributes.number("eps", 1e-5));
  std::vector<Channel> all;
  for (std::size_t c = 0; c < weight.size(); ++c) {
    const float inv = static_cast<float>(1.0 / static_cast<double>(sqrt(var[c] + eps)));
    const float scaled = inv * weight[c], moved = mean[c] * inv, offset = bias[c] - moved * weight[c];
    all.push_back({static_cast<float>(static_cast<double>(scaled) * (sx / sy)), static_cast<float>(static_cast<double>(offset) / sy)});
  }
  return all;
}

Result run(const Layer& layer, const Cell& cell) {
  const Tensor &x = layer.in("x"), &out = layer.out();
  const auto channels = channels_of(layer);
  const Range range = activated_range(layer, out);
  const std::int64_t zx = x.q.integer_zero_point(), zy = out.q.integer_zero_point();
  const std::int64_t inner = x.dim(1) ? x.size() / std::max<std::int64_t>(x.dim(0) * x.dim(1), 1) : 1;
  const bool one_rounding = cell.rule != "separate";
  const auto all = static_cast<std::int64_t>(channels.size()), width = vector_width(layer, cell, one_rounding ? all + 1 : 8);
  const auto body_end = static_cast<std::size_t>(all - all % width);
  const QuantizeRule body = quantize_rule(cell.get("body", "inside_fused"), layer.place);
  const auto q = x.i32();
  Result r;
  Computed& y = r.outputs["y"] = quantized_output(out.shape);
  for (std::size_t i = 0; i < q.size(); ++i) {
    const std::size_t c = i / static_cast<std::size_t>(inner) % channels.size();
    const float d = static_cast<float>(q[i] - zx), product = channels[c].alpha * d;
    const float v = one_rounding ? fused(channels[c].alpha, d, channels[c].beta) : product + channels[c].beta;
    y.q[i] = static_cast<std::int32_t>(std::clamp(quantize_value(c < body_end ? body : QuantizeRule::outside, v, 1.0, static_cast<double>(zy), stored_range(out), y.events[i]), range.min, range.max));
    if (y.q[i] == range.min && range.min > stored_range(out).min) y.events[i] |= event::clamped;
  }
  return r;
}

Real real(const Layer& layer, const Result&) {
  const Tensor& x = layer.in("x");
  const Tensor *weight = layer.find("weight"), *bias = layer.find("bias"), &mean = layer.in("running_mean"), &var = layer.in("running_var");
  const double eps = layer.attributes.number("eps", 1e-5);
  const std::int64_t channels = x.dim(1), inner = channels ? x.size() / std::max<std::int64_t>(x.dim(0) * channels, 1) : 1;
  return pointwise(x.size(), [=, &x, &mean, &var]<class T>(std::int64_t i) -> T {
    const std::int64_t c = i / inner % channels;
    T v = std::isinf(var.value(c)) ? T(0) : (dequantized<T>(x, i) - T(mean.value(c))) / sqrt(T(var.value(c)) + T(eps));
    if (weight) v = v * T(weight->value(c));
    if (bias) v = v + T(bias->value(c));
    return v;
  });
}

}  // namespace

Operator batch_norm() {
  return {.name = "batch_norm",
          .families = {},
          .formula = "y = (v - running_mean) / sqrt(running_var + eps) * weight + bias, v = (x - zx) * sx",
          .inputs = {{"x", "uint8, int8 [N, C, ...]"}, {"weight", "float32 [C]", true}, {"bias", "float32 [C]", true}, {"running_mean", "float32 [C]"}, {"running_var", "float32 [C]"}},
          .outputs = {{"y", "like x"}},
          .attributes = {{"eps", "number >= 0 (1e-5)"}, {"activation", "none, relu, relu6 or {min, max} in the output's integers (none)"}},
          .rules = {"fused", "separate"},
          .spatial = true,
          .check = check,
          .run = run,
          .real = real};
}

}  // namespace lastbit::ops
