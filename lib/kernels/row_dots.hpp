// row_dots.hpp: dot products of a few rows of x with weights as they lie.
#pragma once
#include <cstddef>
#include <cstdint>

#include "lib/kernels/target.hpp"
#include "lib/tensor/dtype.hpp"

namespace lastbit {

struct RowsJob {
  Kind kind = Kind::bytes;
  DType w_dtype = DType::int8;
  const std::byte* x = nullptr;      // [rows][x_stride bytes], laid out, zeros up to a whole vector
  std::int64_t x_stride = 0, rows = 0;
  const std::byte* w = nullptr;      // of the first channel, at the chunk
  std::int64_t w_stride = 0;         // bytes from one channel to the next
  std::int64_t channels = 0, terms = 0;
  const std::int32_t* w_zero = nullptr;  // words: [channels]
  std::int64_t* out = nullptr;       // [rows][channels], added to
  std::int64_t* w_sum = nullptr;     // bytes: [channels], added to
};

/// out += sum of x * w, w_sum += sum of w (bytes: uint8 weights minus 128); every sum must fit int32.
void row_dots(const RowsJob&);

}  // namespace lastbit
