// error_map.hpp: where in an output the mismatches lie.
#pragma once
#include <cstdint>
#include <vector>

#include "lib/tensor/tensor.hpp"
#include "reports/report.hpp"

namespace lastbit {

/// Channels down (axis 1 of a spatial operator's NC... output, else the last axis), all other axes across, at most 64 bins each way.
ErrorMap error_map(const Tensor&, bool spatial, const std::vector<std::int64_t>& differing);

}  // namespace lastbit
