// window.hpp: where pools read. Every pool, with a kernel or adaptive, is three axes of ranges; missing axes have one position.
#pragma once
#include <algorithm>
#include <array>

#include "lib/layer/operator.hpp"

namespace lastbit {

/// What one output position reads along an axis: first, first + step, ... `count` of them, all inside the input.
/// `padded` counts those in the padding too (but none past it, where ceil_mode lets a window hang over).
struct Taps {
  std::int64_t first = 0, count = 1, step = 1, padded = 1;
  std::int64_t raw_first = 0, raw_count = 1;  // before anything outside was cut off
};

struct Windows {
  std::int64_t planes = 1, channels = 1;            // planes = N * C
  std::array<std::int64_t, 3> in{1, 1, 1};
  std::array<std::vector<Taps>, 3> axis;            // one entry per output position
  std::array<std::int64_t, 3> kernel{1, 1, 1};
  Shape shape;                                      // of y

  std::int64_t positions() const { return static_cast<std::int64_t>(axis[0].size() * axis[1].size() * axis[2].size()); }
  std::int64_t in_positions() const { return in[0] * in[1] * in[2]; }
  std::int64_t kernel_size() const { return kernel[0] * kernel[1] * kernel[2]; }
  std::array<const Taps*, 3> at(std::int64_t position) const;
};

/// kernel_size, stride, padding (begins, or begins and ends), dilation, ceil_mode over x [(N,) C, spatial...]. Throws Error.
/// The windows are built only after the observed output's shape has been found to fit.
Windows pool_windows(const Layer&, int dims);
/// output_size: window o of n over a line of `in` runs from floor(o in / n) to ceil((o + 1) in / n).
Windows adaptive_windows(const Layer&, int dims);

/// Calls f(index in the plane) for every element of a window, in row-major order.
template <class F>
void for_each_tap(const Windows& w, std::int64_t position, F f) {
  const auto [d, h, x] = w.at(position);
  for (std::int64_t i = 0; i < d->count; ++i)
    for (std::int64_t j = 0; j < h->count; ++j) {
      const std::int64_t row = ((d->first + i * d->step) * w.in[1] + h->first + j * h->step) * w.in[2];
      for (std::int64_t k = 0; k < x->count; ++k) f(row + x->first + k * x->step);
    }
}
/// The same with taps outside the input moved to its border.
template <class F>
void for_each_border_tap(const Windows& w, std::int64_t position, F f) {
  const auto [d, h, x] = w.at(position);
  const auto inside = [](const Taps& t, std::int64_t i, std::int64_t size) { return std::clamp<std::int64_t>(t.raw_first + i * t.step, 0, size - 1); };
  for (std::int64_t i = 0; i < d->raw_count; ++i)
    for (std::int64_t j = 0; j < h->raw_count; ++j)
      for (std::int64_t k = 0; k < x->raw_count; ++k)
        f((inside(*d, i, w.in[0]) * w.in[1] + inside(*h, j, w.in[1])) * w.in[2] + inside(*x, k, w.in[2]));
}

/// Elements a window reads.
std::int64_t window_count(const Windows&, std::int64_t position);
/// The same with the padding.
std::int64_t window_padded(const Windows&, std::int64_t position);
/// Sum of the stored integers of every window, in the output's order.
std::vector<std::int64_t> window_sums(const Windows&, const std::vector<std::int32_t>& x);
std::vector<float> window_sums(const Windows&, const std::vector<float>& x);    // tap by tap, as for_each_tap() walks them
std::vector<double> window_sums(const Windows&, const std::vector<double>& x);

/// "channels_last": the runtime held x with its channels innermost, or cannot tell (one channel, or one position; up to two
/// spatial axes). Also "three_axes", "ceil_mode", "identity" and "even" (adaptive: every axis kept, or divided without remainder), "one_output"
/// (every axis becomes 1), "whole_image" (the kernel is as large as the image, without padding), "contiguous" (held as the array is, or one cannot tell).
void pool_facts(const Layer&, int dims, std::set<std::string>&);

/// x is quantized or integer, [(N,) C, spatial...].
void check_pool_input(const Layer&, int dims);
std::vector<AttributeSpec> pool_attributes(bool dilation, bool average);

}  // namespace lastbit
