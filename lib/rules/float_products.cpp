// float_products.cpp: see float_products.hpp.
#include "lib/rules/float_products.hpp"

#include <array>

#include "lib/rules/ordered_products.hpp"

namespace lastbit {

template <class T>
FloatConstants<T> float_constants(const Layer& layer, const Geometry& g, const AccumulationInput& in) {
  const Tensor& weight = layer.in("weight");
  const std::int64_t channels = g.groups * g.out_channels;
  const auto scales = static_cast<std::int64_t>(weight.q.scale.size());
  FloatConstants<T> c;
  c.x_scale = static_cast<T>(in.x_scale);
  c.alpha = static_cast<T>(layer.attributes.number("alpha", 1.0));
  c.x_zero_point = in.x_zero_point;
  c.w_zero_point = in.w_zero_point;
  for (std::int64_t o = 0; o < (scales > 1 ? channels : 1); ++o) c.w_scale.push_back(scales == 0 ? T(1) : static_cast<T>(weight.q.scale_of(scales > 1 ? o % scales : 0)));
  c.bias.assign(static_cast<std::size_t>(channels), T(0));
  if (const Tensor* b = layer.find("bias"))
    for (std::int64_t o = 0; o < channels; ++o) {
      const double sw = scales == 0 ? 1.0 : weight.q.scale_of(scales > 1 ? o % scales : 0);
      const double unit = is_float(b->dtype) ? 1.0 : b->q.quantized() ? b->scale_at(o) : in.x_scale * sw;
      c.bias[static_cast<std::size_t>(o)] = static_cast<T>(b->value(o)) * static_cast<T>(unit);
    }
  return c;
}
template FloatConstants<float> float_constants(const Layer&, const Geometry&, const AccumulationInput&);
template FloatConstants<double> float_constants(const Layer&, const Geometry&, const AccumulationInput&);

namespace {

template <class T>
std::vector<T> products(const Layer& layer, const Geometry& g, const AccumulationInput& in) {
  const auto constants = float_constants<T>(layer, g, in);
  const std::int64_t P = g.positions(), C = g.in_channels, taps = g.taps(), channels = g.groups * g.out_channels;
  auto out = ordered_products<T>(
      g, [&](std::int64_t i) { return constants.x(in.x[static_cast<std::size_t>(i)]); },
      [&](std::int64_t channel, std::int64_t c, std::int64_t t) { return constants.w(channel, in.w[static_cast<std::size_t>((channel * C + c) * taps + t)]); });
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = constants.finished(static_cast<std::int64_t>(i) / P % channels, out[i]);
  return out;
}

}  // namespace

std::vector<float> float_outputs(const StreamRequest& request, const FloatConstants<float>& constants) {
  const Geometry& g = request.geometry;
  const StoredOperands& in = request.operands;
  const std::int64_t P = g.positions(), I = g.in_positions(), C = g.in_channels, T = g.taps(), channels = g.groups * g.out_channels, all = g.groups * C;
  const std::int32_t flip = info(in.w_dtype).min < 0 ? 0x80 : 0;  // (v ^ 0x80) - 0x80: a byte as int8
  const std::int64_t by_channel = in.w_channels_last ? 1 : T, by_tap = in.w_channels_last ? C : 1;
  // A byte has 256 values: each is dequantized once, and x brought into [N, channels, positions].
  std::array<float, 256> of_byte{};
  for (int b = 0; b < 256; ++b) of_byte[static_cast<std::size_t>(b)] = constants.x(info(in.x_dtype).min < 0 ? static_cast<std::int8_t>(b) : b);
  std::vector<float> x(static_cast<std::size_t>(g.batch * all * I));
  for (std::int64_t n = 0; n < g.batch; ++n) {
    const std::byte* from = in.x + n * I * all;
    float* to = x.data() + n * I * all;
    if (in.channels_last) in_squares(I, all, [&](std::int64_t i, std::int64_t c) { to[c * I + i] = of_byte[std::to_integer<std::size_t>(from[i * all + c])]; });
    else for (std::int64_t k = 0; k < I * all; ++k) to[k] = of_byte[std::to_integer<std::size_t>(from[k])];
  }
  auto out = ordered_products<float>(
      g, [&](std::int64_t i) { return x[static_cast<std::size_t>(i)]; },
      [&](std::int64_t channel, std::int64_t c, std::int64_t t) { return constants.w(channel, (std::to_integer<std::int32_t>(in.w[channel * C * T + c * by_channel + t * by_tap]) ^ flip) - flip); });
  std::size_t at = 0;
  for (std::int64_t n = 0; n < g.batch; ++n)
    for (std::int64_t o = 0; o < channels; ++o)
      for (std::int64_t p = 0; p < P; ++p, ++at) out[at] = constants.finished(o, out[at]);
  return out;
}

void float_products(const Layer& layer, const Geometry& g, const AccumulationInput& in, Real& r) {
  r.f32 = products<float>(layer, g, in);
  r.f64 = products<double>(layer, g, in);
}

}  // namespace lastbit
