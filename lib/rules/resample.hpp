// resample.hpp: enlarging and shrinking images.
//
// Along an axis, step = f32(1 / scale) when the layer names scales, else f32(f32(in) / f32(out)):
//   nearest         min(floor(f32(o * step)), in - 1)
//   nearest_exact   min(floor(f32(f32(o + 0.5) * step)), in - 1)
// Parameter of a cell ("with"): same_size = copied: an image that keeps its size is copied, whatever the scales say.
#pragma once
#include "lib/layer/operator.hpp"

namespace lastbit {

/// output_size and scales over the last `dims` axes. Throws Error unless y has that shape.
struct Resampling {
  std::vector<std::int64_t> in, out;
  std::vector<double> scales;                    // empty: none
  float step(std::size_t axis) const;
};
Resampling resampling_of(const Layer&, int dims);
/// Whether the result is the copy of an image that keeps its size.
bool is_copied(const Layer&, const Resampling&, const Result&);

Operator nearest(const std::string& name, int dims, bool exact);

}  // namespace lastbit
