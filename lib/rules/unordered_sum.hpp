// unordered_sum.hpp: sums of float32 products whose order belongs to the runtime.
//
// Blocks, vectors, threads and fused steps decide the order, and no dump shows it. Whatever it is,
//   |computed - exact| <= n u / (1 - n u) * sum |x * w|,   u = 2^-24,
// where n is the most roundings that one term passes through: K for K products, one more for a bias (Higham, Accuracy and
// Stability of Numerical Algorithms, section 3.1). So the answer is an interval, and nothing narrower can be promised.
#pragma once
#include <cmath>

#include "lib/layer/operator.hpp"
#include "lib/rules/float_sum.hpp"
#include "lib/rules/quantize_value.hpp"

namespace lastbit {

struct UnorderedSum {
  double value = 0, magnitude = 0;  // sum of x * w, sum of |x * w|, in float64
  std::int64_t roundings = 0;

  void multiply_add(double x, double w) {
    value += x * w;
    magnitude += std::fabs(x * w);
    ++roundings;
  }
  void add(double term) {
    value += term;
    magnitude += std::fabs(term);
    ++roundings;
  }
};

/// The float32 values within `bound` of `middle`, at least the nearest one.
FloatRange floats_within(double middle, double bound);
/// Every float32 that the sum may come to.
FloatRange range_of(const UnorderedSum&);

/// y[i] = interval: its middle, and an undefined element where it holds more than one float32.
void put(Computed& y, std::int64_t i, FloatRange);

/// The float32 values of a port: those of a float tensor, or (q - z) * s in float32 of a quantized one. Throws Error for integers without
/// a scale.
std::vector<float> single_values(const Layer&, const std::string& port);

/// What the sum, quantized, may come to: `value` from its middle, lo and hi from its ends. `relu`: the float is clamped at 0 before.
struct QuantizedRange {
  std::int64_t value = 0, lo = 0, hi = 0;
  Events events = 0;                // of the middle
};
QuantizedRange quantized_range(const UnorderedSum&, bool relu, QuantizeRule, double scale, double zero_point, Range);

/// Whether the activation is relu. Throws Error when it is neither that nor none: a float operator has no other.
bool float_relu(const Layer&);

struct Geometry;
/// The float operator between a dequantize and a quantize: x, weight and bias are float32, or the whole of it in one layer:
/// integers are dequantized to float32 one by one, and a quantized y is quantized by the cell's "rounding". Rule "float".
Result run_float_products(const Layer&, const Cell&, const Geometry&, const Shape& out_shape);
Real real_float_products(const Layer&, const Geometry&);

}  // namespace lastbit
