// column_dots.hpp: dot products of a few rows of x with weights that lie term by term.
#pragma once
#include <cstddef>
#include <cstdint>

#include "lib/tensor/dtype.hpp"

namespace lastbit {

inline constexpr std::int64_t columns_a_block = 64;

struct ColumnsJob {
  DType w_dtype = DType::int8;
  const std::byte* x = nullptr;      // uint8 [rows][x_stride], zeros up to a whole vector
  std::int64_t x_stride = 0, rows = 0;
  const std::byte* w = nullptr;      // [terms][columns]
  std::int64_t columns = 0, terms = 0;
  std::int32_t* out = nullptr;       // [rows][blocks of 64 columns], at column_place()
  std::int32_t* w_sum = nullptr;     // [blocks of 64 columns], at column_place(): of w
  std::int32_t* w_size = nullptr;    // of |w|
};

/// Where a column's sum stands: interleaving bytes leaves four columns of each sixteen in a vector.
constexpr std::int64_t column_place(std::int64_t column) {
  const std::int64_t c = column % columns_a_block;
  return column - c + c % 16 / 4 * 16 + c / 16 * 4 + c % 4;
}

/// out = sum of x * w, w_sum = sum of w, w_size = sum of |w|; uint8 weights count less 128. Every sum must fit int32. For instruction sets with
/// KernelTarget::bytes.
void column_dots(const ColumnsJob&);

}  // namespace lastbit
