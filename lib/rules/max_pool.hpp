// max_pool.hpp: the largest of a window's stored integers, for one, two and three spatial axes.
#pragma once
#include <optional>

#include "lib/layer/operator.hpp"

namespace lastbit {

/// Cell parameter "outside": skip (a tap in the padding counts as the least value) or border (QNNPACK reads the nearest
/// element instead, which differs when dilation > 1 steps over the border).
Operator max_pool(int dims);

/// What such a layer stores, from the bytes of x, in the same order: [(N,) C, spatial], or [N, spatial, C] where `channels_last`. Adds the
/// clamped elements to the count. None for wider integers, a layer without a batch axis whose channels are last, and where !max_pool_ignores_outside().
std::optional<std::vector<std::byte>> max_pool_bytes(const Layer&, const Cell&, const std::byte* x, bool channels_last, std::int64_t& clamped);
/// Whether taps outside the input change nothing by this cell: they are skipped, or moved to a border that the window has anyway.
bool max_pool_ignores_outside(const Layer&, const Cell&);

}  // namespace lastbit
