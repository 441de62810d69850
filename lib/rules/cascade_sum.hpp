// cascade_sum.hpp: the order in which ATen adds up float32 on one thread.
//
// Four running sums: every 2^p terms (p = max(4, ceil(log2 n) / 4)) the first is added to the second and cleared, every
// 2^2p the second to the third, and so on; at the end they are added, first to last. "In four": the same over every fourth
// term, then the terms left over are added to the first of the four sums, then the other three.
//   rows      the reduced axes lie innermost in memory, 8 terms or more: 8 lanes, each in four; then the terms left over from
//             the first to the last, then the lanes added to those
//   columns   else: the last kept axis (with those before it that memory continues) makes the columns. In whole blocks of
//             columns one cascade a column, the columns after them in four. A block is 32 columns where these lie innermost
//             and are at least 8, 4 where they lie inside the reduced axes, none where outside (all in four).
// 8 floats a vector on every x86, AVX-512 included. Up to 32767 elements: larger tensors are cut by the number of threads.
//
//   aten/src/ATen/native/cpu/SumKernel.cpp   cascade_sum, multi_row_sum, row_sum, vectorized_inner_sum, vectorized_outer_sum
#pragma once
#include <span>

#include "lib/tensor/tensor.hpp"

namespace lastbit {

/// Element i of `terms` is the i-th in memory. One column of `columns`, in blocks of `block`, 0: none.
float cascade_column(std::span<const float> terms, std::int64_t column, std::int64_t columns, std::int64_t block);
/// The block where the columns lie innermost.
constexpr std::int64_t cascade_block(std::int64_t columns) { return columns >= 8 ? 32 : 4; }
float cascade_row(std::span<const float> terms);

/// How a reduction over `axes` (ascending) runs through x. Known where the reduced axes are one run in memory.
struct CascadeOrder {
  enum class Kind { open, columns, rows } kind = Kind::open;
  std::vector<std::int64_t> index;  // of the elements: outputs in order, each one's terms as they lie in memory
  std::int64_t columns = 1, block = 0;

  float sum(std::span<const float> terms, std::int64_t output) const {
    return kind == Kind::rows ? cascade_row(terms) : cascade_column(terms, output % columns, columns, block);
  }
};
CascadeOrder cascade_order(const Tensor& x, const std::vector<std::int64_t>& axes);

}  // namespace lastbit
