// ordered_sums.hpp: sums of products in floating point, in one order on every host.
//
//   out[r][o] = (...((out[r][o] + x[r][0] * w[0][o]) + x[r][1] * w[1][o]) + ...) + x[r][terms-1] * w[terms-1][o]
//
// Every product and every sum is rounded once, never fused: the bits do not depend on the instruction set.
#pragma once
#include <cstdint>

namespace lastbit {

/// Columns of w and out are allocated up to a multiple of this: vectors run over whole rows. What stands in the rest of w must be 0.
inline constexpr std::int64_t ordered_columns = 16;

/// x [rows, terms], w [terms, columns], out [rows, columns], dense and row-major; columns a multiple of ordered_columns.
void ordered_sums(const float* x, std::int64_t rows, std::int64_t terms, const float* w, std::int64_t columns, float* out);
void ordered_sums(const double* x, std::int64_t rows, std::int64_t terms, const double* w, std::int64_t columns, double* out);

}  // namespace lastbit
