// pointwise.hpp: what operators share that compute each output from a few inputs: real values in every form, broadcasting.
#pragma once
#include <memory>

#include "lib/layer/operator.hpp"
#include "lib/num/tracked.hpp"

namespace lastbit {

/// Element i of a tensor as a real number of type T (float, double, Tracked, Exact): (q - zero_point) * scale, or the float.
template <class T>
T dequantized(const Tensor& t, std::int64_t i) {
  if (is_float(t.dtype)) return T(t.value(i));
  if (!t.q.quantized()) return T(static_cast<double>(t.integer(i)));
  const double zero_point = t.zero_point_at(i), scale = t.scale_at(i);
  if constexpr (std::is_arithmetic_v<T>) return static_cast<T>(static_cast<T>(t.integer(i)) - static_cast<T>(zero_point)) * static_cast<T>(scale);
  else return (T(t.integer(i)) - T(zero_point)) * T(scale);
}

/// All real forms from one formula: `f` is called as f.template operator()<T>(i) -> T for output element i. The tensors it
/// reads must outlive the Real (they belong to the layer; Exact values are asked while the layer is bound).
template <class F>
Real pointwise(std::int64_t n, F f) {
  Real r;
  const auto size = static_cast<std::size_t>(n);
  r.f32.resize(size);
  r.f64.resize(size);
  r.approx.resize(size);
  r.bound.resize(size);
  for (std::size_t i = 0; i < size; ++i) {
    const auto at = static_cast<std::int64_t>(i);
    r.f32[i] = f.template operator()<float>(at);
    r.f64[i] = f.template operator()<double>(at);
    const Tracked t = f.template operator()<Tracked>(at);
    r.approx[i] = t.value;
    r.bound[i] = t.error;
  }
  r.exact = [f](std::int64_t i) { return f.template operator()<Exact>(i); };
  return r;
}

/// NumPy broadcasting. Throws Error when the shapes do not fit.
Shape broadcast_shape(const Layer&, const Shape& a, const Shape& b);
/// For every element of `to`, the element of a tensor of shape `from` that broadcasts to it.
std::vector<std::int64_t> broadcast_index(const Shape& from, const Shape& to);

/// y with one event byte an element, ready to be filled.
Computed quantized_output(Shape);
Computed float_output(Shape);

}  // namespace lastbit
