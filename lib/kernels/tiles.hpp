// tiles.hpp: any convolution or matrix product by tiles (tile.hpp), streamed block by block.
#pragma once
#include <functional>

#include "lib/kernels/stream.hpp"
#include "lib/kernels/target.hpp"

namespace lastbit {

/// What one pass over the operands' types (and, for wide types, values) tells about their numbers.
struct OperandRange {
  std::int64_t x_low = 0, x_high = 0, w_low = 0, w_high = 0;  // as stored
  std::int64_t x_size = 0, w_size = 0;                        // largest |x - zero point|, |w - zero point|
};
OperandRange operand_range(const StreamRequest&);

/// Whether tiles take the request with operands of that kind: numbers fit, and padding does not outgrow the input by far.
bool tiles_take(const StreamRequest&, const OperandRange&, Kind);
void tile_sums(const StreamRequest&, const OperandRange&, Kind, const std::function<void(const SumBlock&)>&, StreamNotes&);

}  // namespace lastbit
