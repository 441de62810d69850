// rows.hpp: matrix products of a few rows. Weights are read once, as they lie: bringing them into another order costs ten times the product.
#pragma once
#include <functional>

#include "lib/kernels/tiles.hpp"
#include "lib/tensor/scratch.hpp"

namespace lastbit {

/// One tap, one position per image, one group, few images.
bool few_rows(const Geometry&);

/// The request's rows of x in memory of `to`, x_stride elements each: zeros beyond K, as LayJob says of the kind.
const std::byte* lay_rows(const StreamRequest&, Kind, std::int64_t x_stride, Scratch& to);

/// Few rows; weights of at most 16 bits.
bool rows_take(const StreamRequest&, const OperandRange&, Kind);
void row_sums(const StreamRequest&, const OperandRange&, Kind, const std::function<void(const SumBlock&)>&);

}  // namespace lastbit
