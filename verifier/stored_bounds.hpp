// stored_bounds.hpp: what the sums of an accumulating layer could reach over all inputs, from weights as they are stored.
#pragma once
#include <optional>
#include <vector>

#include "lib/dump/stored.hpp"
#include "lib/kernels/stream.hpp"
#include "verifier/evaluate.hpp"

namespace lastbit {

/// accumulator_bounds() of a linear layer or a convolution of 8-bit operands; none where it needs more.
std::optional<AccumulatorBounds> stored_bounds(const StoredLayer&, const Cell&);
/// Of such a layer whose integer biases are known: by channel, or none.
std::optional<AccumulatorBounds> stored_bounds(const StoredLayer&, const std::vector<std::int64_t>& bias);

/// The same from what packing the weights told, where it told it and some position reads all its taps. `bias`: integer biases by channel, or none.
std::optional<AccumulatorBounds> packed_bounds(const Tensor& x, const StreamRequest&, const StreamNotes&, const std::vector<std::int64_t>& bias);

}  // namespace lastbit
