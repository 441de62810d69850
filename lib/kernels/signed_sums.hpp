// signed_sums.hpp: the positive and the negative weights of a channel, added up; their squares.
#pragma once
#include <cstddef>
#include <cstdint>

#include "lib/tensor/dtype.hpp"

namespace lastbit {

struct SignedSums {
  std::int64_t positive = 0, negative = 0;
};

/// Sums of max(w - zero_point, 0) and min(w - zero_point, 0) over n consecutive values of an 8-bit type (or narrower, one a byte).
SignedSums signed_sums(DType, const std::byte* w, std::int64_t n, std::int32_t zero_point);

/// The sum of n int8 squares.
std::int64_t square_sum(const std::byte* w, std::int64_t n);

}  // namespace lastbit
