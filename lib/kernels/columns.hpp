// columns.hpp: matrix products of a few rows with weights that lie term by term, [K, O]: read once, as they lie.
#pragma once
#include <functional>

#include "lib/kernels/stream.hpp"

namespace lastbit {

/// One tap, one position per image, one group, few images; bytes, weights without a zero point (uint8: 128), nobody who asks where terms lie.
/// Only then may a request's weights be w_terms_first.
bool columns_take(const StreamRequest&);
void column_sums(const StreamRequest&, const std::function<void(const SumBlock&)>&, StreamNotes&);

}  // namespace lastbit
