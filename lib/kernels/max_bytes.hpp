// max_bytes.hpp: the larger of two rows of bytes.
#pragma once
#include <cstddef>
#include <cstdint>

namespace lastbit {

/// most[i] = max(most[i], row[i]) as uint8, or as int8 where `is_signed`; n >= 0, the rows do not overlap.
void max_bytes(bool is_signed, std::byte* most, const std::byte* row, std::int64_t n);

}  // namespace lastbit
