// aten_kernel.hpp: ATen's elementwise kernels over quantized tensors: dequantize, compute in float32, quantize.
//
// A kernel has a vector body and a scalar tail (tensor_iterator.hpp), and they are not the same arithmetic:
//   body   x = fma(scale, f32(q), f32(scale * -zp));  y = clamp(cvtps(min(f32(v * inv), 2147483520)) + zo)
//   tail   x = f32(scale * (q - zp));                 y by one of the rules of quantize_value.hpp
//
// Parameters of a cell ("with"):
//   vector        elements of one turn of the body; 0: all is tail
//   dequantize    fma, plain: how the body dequantizes
//   inverse       f32: 1 / f32(so); f64: f32(1 / so)      the body's
//   tail          rule of quantize_value.hpp
//   vector_rule   rule of quantize_value.hpp: the body's, in the place of the one above
#pragma once
#include <optional>

#include <functional>

#include "lib/layer/operator.hpp"
#include "lib/rules/quantize_value.hpp"

namespace lastbit {

class AtenKernel {
 public:
  AtenKernel(const Layer&, const Cell&, const Tensor& y);

  std::int64_t block() const { return block_; }
  /// q of tensor t as the body, or the tail, dequantizes it.
  float dequantize(const Tensor& t, std::int64_t q, bool body) const;
  std::int64_t quantize(float v, bool body, Events&) const;

 private:
  std::int64_t block_;
  bool fused_;
  QuantizeRule tail_;
  std::optional<QuantizeRule> all_;  // cell parameter "all": vectors and tail by one rule
  std::optional<QuantizeRule> vector_rule_;
  float inverse_;
  double scale_;
  std::int64_t zero_point_;
  Range range_;
};

/// The vector quantize of ATen and FBGEMM: zero point after the rounding, in wrapping int32.
std::int64_t quantize_vector(float v, float inverse, std::int64_t zero_point, Range, Events&);
/// Vectorized::requantize_from_int and requantize_from_int: clamp(rne(acc * m) + zo). The body multiplies f32(acc), the tail
/// narrows the float64 product.
std::int64_t requantize_from_int(std::int64_t acc, float multiplier, std::int64_t zero_point, bool body, Range, Events&);

/// What one stored value becomes.
struct Mapped {
  std::int32_t q = 0;
  Events events = 0;
  bool open = false;        // the runtime's value is only known to lie in [lo, hi]
  std::int32_t lo = 0, hi = 0;
};
/// y[i] = value(q of x[i], whether i is in the body), each combination computed once.
Result map_values(const Tensor& x, const Shape&, const std::vector<char>& body, const std::function<Mapped(std::int64_t q, bool body)>& value);
/// Without a body: tables, and kernels that treat all elements alike.
Result map_values(const Tensor& x, const Shape&, const std::function<Mapped(std::int64_t q)>& value);

/// An activation by AtenKernel: y = quantize(f(dequantize(x))), f may differ between body and tail. `slack`: by how many ulp
/// of float32 the tail's f(x) may be off (0: exactly known); results that this leaves open become intervals.
Result aten_activation(const Layer&, const Cell&, const std::function<float(float, bool body)>& f, const std::function<int(float)>& slack);

}  // namespace lastbit
