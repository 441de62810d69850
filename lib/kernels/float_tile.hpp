// float_tile.hpp: the vectors of float_tiles.hpp: rows of pixels by a block of output channels.
#pragma once
#include <cstddef>
#include <cstdint>

#include "lib/kernels/tile.hpp"

namespace lastbit {

inline constexpr std::int64_t float_columns = 64;  // output channels of a block: a multiple of every vector

/// to[4 * d + j][c] = f32(f32(byte j of dword [d][c], as int8, - zero_point[c]) * scale[c]): packed weights (pack.hpp) as numbers.
void dequantize_packed(const std::byte* packed, std::int64_t dwords, const std::int32_t* zero_point, const float* scale, float* to);

/// to[i] = f32(f32(uint8 from[i] - zero_point) * scale)
void dequantize_bytes(const std::byte* from, std::int64_t n, std::int32_t zero_point, float scale, float* to);

/// sums[r][c] += x[r][k] * w[k][c], term by term. x [rows][terms], w [terms][float_columns], sums [rows][float_columns].
void add_float_products(const float* x, std::int64_t rows, std::int64_t terms, const float* w, float* sums);

/// The same where every channel has its own x: sums[c] += f32(f32(uint8 x[t][c] ^ flip - zero_point) * scale) * w[t][c]. x[t] null: no such tap.
/// w [taps][width]; channels beyond `count` are not read.
void add_float_channels(const std::byte* const* x, std::int64_t taps, std::int64_t count, std::uint8_t flip, std::int32_t zero_point, float scale, const float* w, std::int64_t width, float* sums);

/// One sum of float_row_sums().
struct FloatRow {
  const std::byte *x = nullptr, *w = nullptr;  // uint8, one row of int8
  float w_scale = 1;
};
inline constexpr std::int64_t float_rows = 16;

/// sums[i] = the sum of float_tiles.hpp over the segments of row i's x and as many of its w, from 0 on; w's zero points are 0. At most float_rows.
void float_row_sums(const FloatRow* rows, std::int64_t count, const TermSegment* segments, std::int64_t segment_count, std::int32_t x_zero_point, float x_scale, float* sums);

struct FloatFinish {
  const float* bias = nullptr;               // [count]
  float scale = 1;
  std::int32_t zero_point = 0, low = 0, high = 255;
  bool is_signed = false;                    // of the observed bytes
};
/// Sums of one pixel brought to stored values and compared: adds to the count, and to the largest distance.
void compare_float_sums(const FloatFinish&, const float* sums, std::int64_t count, const std::byte* observed, std::int64_t& mismatches, std::int64_t& largest);

}  // namespace lastbit
