// rows.hpp: matrix products of a few rows. Weights are read once, as they lie: bringing them into another order costs ten times the product.
#pragma once
#include <functional>
#include <vector>

#include "lib/kernels/tiles.hpp"
#include "lib/tensor/scratch.hpp"

namespace lastbit {

/// One tap, one position per image, one group, few images.
bool few_rows(const Geometry&);

struct LaidRows {
  const std::byte* x = nullptr;
  std::vector<std::int64_t> offsets;  // where each row begins, in bytes
};
/// The request's rows of x in memory of `to`, x_stride elements each: zeros beyond K, as LayJob says of the kind.
LaidRows lay_rows(const StreamRequest&, Kind, std::int64_t x_stride, Scratch& to);

/// Sums of `channels` channels from `first` on, of every row of the request: [rows][channels].
SumBlock block_of_rows(const Geometry&, std::int64_t first, std::int64_t channels, const std::int32_t* acc);

/// Few rows; weights of at most 16 bits.
bool rows_take(const StreamRequest&, const OperandRange&, Kind);
void row_sums(const StreamRequest&, const OperandRange&, Kind, const std::function<void(const SumBlock&)>&);

}  // namespace lastbit
