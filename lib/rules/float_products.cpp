// float_products.cpp: see float_products.hpp.
#include "lib/rules/float_products.hpp"

#include "lib/rules/ordered_products.hpp"

namespace lastbit {
namespace {

template <class T>
std::vector<T> products(const Layer& layer, const Geometry& g, const AccumulationInput& in) {
  const Tensor& weight = layer.in("weight");
  const std::int64_t P = g.positions(), C = g.in_channels, taps = g.taps(), channels = g.groups * g.out_channels;
  const auto scales = static_cast<std::int64_t>(weight.q.scale.size());
  std::vector<T> bias(static_cast<std::size_t>(channels), T(0));
  if (const Tensor* b = layer.find("bias"))
    for (std::int64_t o = 0; o < channels; ++o) {
      const double sw = scales == 0 ? 1.0 : weight.q.scale_of(scales > 1 ? o % scales : 0);
      const double unit = is_float(b->dtype) ? 1.0 : b->q.quantized() ? b->scale_at(o) : in.x_scale * sw;
      bias[static_cast<std::size_t>(o)] = static_cast<T>(b->value(o)) * static_cast<T>(unit);
    }
  const T si = static_cast<T>(in.x_scale);
  const auto weight_at = [&](std::int64_t channel, std::int64_t c, std::int64_t t) {
    const T sw = scales == 0 ? T(1) : static_cast<T>(weight.q.scale_of(scales > 1 ? channel % scales : 0));
    const std::int64_t wz = in.w_zero_point.size() == 1 ? in.w_zero_point[0] : in.w_zero_point[static_cast<std::size_t>(channel)];
    return static_cast<T>(in.w[static_cast<std::size_t>((channel * C + c) * taps + t)] - wz) * sw;
  };
  auto out = ordered_products<T>(g, [&](std::int64_t i) { return static_cast<T>(in.x[static_cast<std::size_t>(i)] - in.x_zero_point) * si; }, weight_at);
  for (std::size_t i = 0; i < out.size(); ++i) out[i] += bias[static_cast<std::size_t>(static_cast<std::int64_t>(i) / P % channels)];
  const T alpha = static_cast<T>(layer.attributes.number("alpha", 1.0));
  if (alpha != T(1))
    for (std::size_t i = 0; i < out.size(); ++i) {
      const T b = bias[static_cast<std::size_t>(static_cast<std::int64_t>(i) / P % channels)];
      out[i] = (out[i] - b) * alpha + b;
    }
  return out;
}

}  // namespace

void float_products(const Layer& layer, const Geometry& g, const AccumulationInput& in, Real& r) {
  r.f32 = products<float>(layer, g, in);
  r.f64 = products<double>(layer, g, in);
}

}  // namespace lastbit
