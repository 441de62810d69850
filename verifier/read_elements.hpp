// read_elements.hpp: what an element of a pool or a mean is made from.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "lib/layer/operator.hpp"

namespace lastbit {

struct ReadElements {
  std::vector<std::int64_t> of_x;    // flat indices into x, in the order of the window
  std::int64_t padded = 0;           // places of the window, those in the padding included; as many as of_x for a mean
};

/// For max_pool, avg_pool, adaptive_avg_pool and their one- and three-dimensional kin, and mean, sum, std; none for other operators.
std::optional<ReadElements> read_elements(const Layer&, std::int64_t element);

}  // namespace lastbit
