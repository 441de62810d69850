// tensor.hpp: an array with its meaning. Values are read widened; operators are not templates over storage types.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "lib/tensor/dtype.hpp"

namespace lastbit {

using Shape = std::vector<std::int64_t>;

/// Product of the extents, 1 for a scalar. Throws InternalError on overflow: shapes are checked where they are read.
std::int64_t count(const Shape&);
/// Row-major strides in elements.
Shape strides_of(const Shape&);
std::string to_string(const Shape&);  // "[2, 3]"

/// How integers stand for reals: real = (q - zero_point) * scale.
struct Quantization {
  std::vector<double> scale;       // empty: not quantized; one: per tensor; else per channel, or per group (channel-major)
  std::vector<double> zero_point;  // as many as scales, or one; integers, or floats for float qparams
  int axis = -1;                   // channel axis of per-channel scales, -1 per tensor
  std::int64_t group_size = 0;     // values per scale along the last axis, 0: none
  std::int64_t qmin = 0, qmax = 0; // the range in use; the dtype's unless the dump says less
  bool float_zero_point = false;

  bool quantized() const { return !scale.empty(); }
  bool per_channel() const { return axis >= 0 && group_size == 0; }
  double scale_of(std::int64_t channel) const { return scale.size() == 1 ? scale[0] : scale[static_cast<std::size_t>(channel)]; }
  double zero_point_of(std::int64_t channel) const {
    return zero_point.empty() ? 0.0 : zero_point.size() == 1 ? zero_point[0] : zero_point[static_cast<std::size_t>(channel)];
  }
  std::int64_t integer_zero_point(std::int64_t channel = 0) const { return static_cast<std::int64_t>(zero_point_of(channel)); }
};

/// Row-major values, little-endian, 4- and 2-bit values one a byte. `data` points into `owner` (a mapping or a buffer).
struct Tensor {
  std::string name;
  DType dtype = DType::float32;
  Shape shape;
  Quantization q;
  std::string memory_layout;           // "NCHW", "NHWC" or empty: how the runtime held it
  std::vector<int> stored_axes;        // stored axis of each axis here, when a layout was read through; empty: the same
  const std::byte* data = nullptr;
  std::shared_ptr<const void> owner;

  std::int64_t size() const { return count(shape); }
  std::int64_t rank() const { return static_cast<std::int64_t>(shape.size()); }
  std::int64_t dim(std::int64_t i) const { return shape[static_cast<std::size_t>(i < 0 ? i + rank() : i)]; }

  std::int64_t integer(std::int64_t i) const;   // one element of an integer tensor
  double value(std::int64_t i) const;           // one element as stored, integers included
  /// Channel (or group) index of element i, for q.scale_of.
  std::int64_t channel_of(std::int64_t i) const;
  double scale_at(std::int64_t i) const { return q.scale_of(channel_of(i)); }
  double zero_point_at(std::int64_t i) const { return q.zero_point_of(channel_of(i)); }

  std::vector<std::int32_t> i32() const;        // widened copies; int64 that does not fit throws Error
  std::vector<std::int64_t> i64() const;
  std::vector<float> f32() const;               // float16 and float32 exactly, float64 rounded once
  std::vector<double> f64() const;

  static Tensor of(std::string name, DType, Shape, Quantization, std::vector<std::byte> bytes);
  static Tensor of_integers(std::string name, DType, Shape, Quantization, std::span<const std::int32_t>);
  static Tensor of_floats(std::string name, Shape, std::span<const float>);
};

/// The same tensor with its axes in another order (a copy): result axis i is axis order[i] of t. Per-channel axis and
/// stored_axes follow.
Tensor permuted(const Tensor& t, const std::vector<int>& order);

float half_to_float(std::uint16_t bits);        // exact
std::uint16_t float_to_half(float);             // nearest, ties to even

}  // namespace lastbit
