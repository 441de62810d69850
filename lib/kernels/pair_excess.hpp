// pair_excess.hpp: where the saturation of int16 pairs changes a layer's sums, from operands as they are stored.
#pragma once
#include <functional>

#include "lib/kernels/stream.hpp"

namespace lastbit {

/// An output element whose saturated pairs add `excess`, not 0, to its exact sum.
struct PairExcess {
  std::int64_t n = 0, channel = 0, position = 0, excess = 0;
};

/// pair_excess() of accumulate.hpp, element by element in blocks of positions; raw x is the stored value plus `offset`. Ends when visit()
/// gives false. Operands of 8 bits. `borders`: of positions alone at which a tap lies outside.
void visit_pair_excess(const StreamRequest&, const std::vector<Segment>&, std::int32_t outside, std::int32_t offset, const std::function<bool(const PairExcess&)>& visit, bool borders = false);

}  // namespace lastbit
