// rows.hpp: matrix products of a few rows. Weights are read once, as they lie: bringing them into another order costs ten times the product.
#pragma once
#include <functional>

#include "lib/kernels/tiles.hpp"

namespace lastbit {

/// One tap, one position per image, one group, few images; weights of at most 16 bits.
bool rows_take(const StreamRequest&, const OperandRange&, Kind);
void row_sums(const StreamRequest&, const OperandRange&, Kind, const std::function<void(const SumBlock&)>&);

}  // namespace lastbit
