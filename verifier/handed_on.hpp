// handed_on.hpp: what one layer made, as a tensor that another reads.
#pragma once
#include "lib/layer/operator.hpp"

namespace lastbit {

/// `made` with its axes in the order of `as`: two layers may read one file through different layouts.
inline Tensor handed_on(Tensor made, const Tensor& as) {
  if (made.stored_axes == as.stored_axes) return made;
  if (!made.stored_axes.empty()) {  // back to the file's order
    std::vector<int> back(made.stored_axes.size());
    for (std::size_t a = 0; a < back.size(); ++a) back[static_cast<std::size_t>(made.stored_axes[a])] = static_cast<int>(a);
    made = permuted(made, back);
    made.stored_axes.clear();
  }
  return as.stored_axes.empty() ? made : permuted(made, as.stored_axes);
}

/// A recomputed output as a tensor like the dumped one, with these quantization parameters. What cannot be known from the dump (undefined)
/// is taken from the dump.
inline Tensor as_tensor(const Computed& c, const Tensor& like, const Quantization& q) {
  Tensor t;
  if (is_float(like.dtype)) {
    auto values = c.f;
    for (const auto& u : c.undefined) values[static_cast<std::size_t>(u.index)] = static_cast<float>(like.value(u.index));
    t = Tensor::of_floats(like.name, like.shape, values);
  } else {
    auto values = c.q;
    for (const auto& u : c.undefined) values[static_cast<std::size_t>(u.index)] = static_cast<std::int32_t>(like.integer(u.index));
    t = Tensor::of_integers(like.name, like.dtype, like.shape, q, values);
  }
  t.memory_layout = like.memory_layout;
  t.stored_axes = like.stored_axes;
  return t;
}

}  // namespace lastbit
