// float_products.hpp: the float form of everything that accumulates, through Eigen.
#pragma once
#include "lib/kernels/stream.hpp"
#include "lib/rules/accumulation.hpp"

namespace lastbit {

/// Operands dequantized to T one by one, and what follows their ordered sum.
template <class T>
struct FloatConstants {
  T x_scale = 1, alpha = 1;
  std::vector<T> w_scale, bias;                 // one or per channel; per channel
  std::int64_t x_zero_point = 0;
  std::vector<std::int64_t> w_zero_point;       // one or per channel

  T x(std::int64_t q) const { return static_cast<T>(q - x_zero_point) * x_scale; }
  T w(std::int64_t channel, std::int64_t q) const { return static_cast<T>(q - of(w_zero_point, channel)) * of(w_scale, channel); }
  T finished(std::int64_t channel, T sum) const {
    const T b = of(bias, channel), y = sum + b;
    return alpha == T(1) ? y : (y - b) * alpha + b;
  }

 private:
  template <class V>
  static V of(const std::vector<V>& v, std::int64_t channel) { return v[v.size() == 1 ? 0 : static_cast<std::size_t>(channel)]; }
};
template <class T>
FloatConstants<T> float_constants(const Layer&, const Geometry&, const AccumulationInput&);

/// Fills r.f32 and r.f64: operands dequantized to float32 (float64), products added in the order of the terms (taps
/// ascending, channel fastest), the bias added last. Vectorized over output channels alone, so that no host or instruction
/// set changes a bit.
void float_products(const Layer&, const Geometry&, const AccumulationInput&, Real& r);

/// The float32 form's outputs [N, channels, positions] from operands as stored, of at most 8 bits.
std::vector<float> float_outputs(const StreamRequest&, const FloatConstants<float>&);

}  // namespace lastbit
