// vector_width.hpp: how many elements a kernel's vectors hold, as a cell says it.
#pragma once
#include <cstdint>

#include "lib/layer/layer.hpp"
#include "lib/profile/profile.hpp"

namespace lastbit {

/// The cell's parameter "vector", at least 1; `otherwise` where it has none. Throws Error on anything else.
std::int64_t vector_width(const Layer&, const Cell&, std::int64_t otherwise);

}  // namespace lastbit
