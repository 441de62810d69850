// float_products.cpp: see float_products.hpp.
#define EIGEN_DONT_VECTORIZE  // sums stay in order; the compiler still vectorizes across output channels
#include "lib/rules/float_products.hpp"

#include <Eigen/Core>

namespace lastbit {
namespace {

template <class T>
std::vector<T> products(const Layer& layer, const Geometry& g, const AccumulationInput& in) {
  using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  using Row = Eigen::Matrix<T, 1, Eigen::Dynamic>;
  const Tensor& weight = layer.in("weight");
  const std::int64_t P = g.positions(), I = g.in_positions(), C = g.in_channels, O = g.out_channels, K = g.terms(), TT = g.taps(), channels = g.groups * O;
  const auto source = sources(g);
  const auto scales = static_cast<std::int64_t>(weight.q.scale.size());
  std::vector<T> bias(static_cast<std::size_t>(channels), T(0));
  if (const Tensor* b = layer.find("bias"))
    for (std::int64_t o = 0; o < channels; ++o) {
      const double sw = scales == 0 ? 1.0 : weight.q.scale_of(scales > 1 ? o % scales : 0);
      const double unit = is_float(b->dtype) ? 1.0 : b->q.quantized() ? b->scale_at(o) : in.x_scale * sw;
      bias[static_cast<std::size_t>(o)] = static_cast<T>(b->value(o)) * static_cast<T>(unit);
    }
  const T si = static_cast<T>(in.x_scale);
  std::vector<T> out(static_cast<std::size_t>(g.batch * channels * P));
  Matrix w(K, O);
  Row sum(O);
  for (std::int64_t group = 0; group < g.groups; ++group) {
    for (std::int64_t o = 0; o < O; ++o) {
      const std::int64_t channel = group * O + o;
      const T sw = scales == 0 ? T(1) : static_cast<T>(weight.q.scale_of(scales > 1 ? channel % scales : 0));
      const std::int64_t wz = in.w_zero_point.size() == 1 ? in.w_zero_point[0] : in.w_zero_point[static_cast<std::size_t>(channel)];
      for (std::int64_t c = 0; c < C; ++c)
        for (std::int64_t t = 0; t < TT; ++t)
          w(t * C + c, o) = static_cast<T>(in.w[static_cast<std::size_t>((channel * C + c) * TT + t)] - wz) * sw;
    }
    for (std::int64_t n = 0; n < g.batch; ++n)
      for (std::int64_t p = 0; p < P; ++p) {
        sum.setZero();
        for (std::int64_t t = 0; t < TT; ++t) {
          const std::int64_t s = source[static_cast<std::size_t>(p * TT + t)];
          if (s < 0) continue;
          for (std::int64_t c = 0; c < C; ++c) {
            const T x = static_cast<T>(in.x[static_cast<std::size_t>(((n * g.groups + group) * C + c) * I + s)] - in.x_zero_point) * si;
            sum += x * w.row(t * C + c);
          }
        }
        for (std::int64_t o = 0; o < O; ++o) {
          const std::int64_t channel = group * O + o;
          out[static_cast<std::size_t>((n * channels + channel) * P + p)] = sum(o) + bias[static_cast<std::size_t>(channel)];
        }
      }
  }
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
