// handed_on.hpp: a tensor that one layer made, as another reads it.
#pragma once
#include "lib/tensor/tensor.hpp"

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

}  // namespace lastbit
