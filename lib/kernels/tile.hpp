// tile.hpp: the matrix product under every convolution: a few pixels by a few dozen channels, in registers.
//
// Pixels are rows of x in a padded channels-last layout; a term sequence is a list of segments, each contiguous in x from one pixel's
// offset, so that no window is ever copied out. Weights lie in the order in which the kernel reads them.
#pragma once
#include <cstddef>
#include <cstdint>

#include "lib/kernels/target.hpp"

namespace lastbit {

/// Contiguous terms: from `offset` bytes after a pixel, `dwords` of them (4 bytes or 2 words each). Of the weights `passed` dwords come before that
/// belong to no segment.
struct TermSegment {
  std::int64_t offset = 0, dwords = 0, passed = 0;
};

struct TileJob {
  Kind kind = Kind::bytes;
  const std::byte* x = nullptr;
  const std::int64_t* pixels = nullptr;   // byte offset of each pixel
  const std::int32_t* rows = nullptr;     // where its sums go: out[rows[i] * channels + c]
  std::int64_t count = 0;                 // pixels
  const TermSegment* segments = nullptr;
  std::int64_t segment_count = 0;
  const std::byte* w = nullptr;           // [dwords of all segments, and passed ones][channels] dwords
  std::int64_t channels = 0;              // a multiple of the vector's lanes
  const std::int32_t* start = nullptr;    // [channels]: what the sums begin with
  const std::int32_t* w_zero_point = nullptr;  // [channels] or null: subtracts w_zero_point[c] * row_sums[i]
  const std::int32_t* row_sums = nullptr; // [count]
  std::int32_t* out = nullptr;
  const std::int32_t* marks = nullptr;    // [segments][channels] or null (Kind::words: always): what the sums are, after each segment, where those of the numbers would be 0
  std::int32_t* peaks = nullptr;          // with marks, out's places: the largest |sum - mark| after any segment
};

/// out = start + sum of x * w - w_zero_point * row_sum, modulo 2^32.
void tile_products(const TileJob&);

/// sums[i] = sum of pixel i's x over all segments, modulo 2^32 (kind, x, pixels, count, segments of the job).
void tile_row_sums(const TileJob&, std::int32_t* sums);

/// sums[i] = sum of (x - zero_point)^2 over the first `channels` bytes of pixel i.
void square_sums(const std::byte* x, std::int64_t pixels, std::int64_t pixel_bytes, std::int64_t channels, std::int32_t zero_point, std::int64_t* sums);

/// to[c][r] = from[r][c], dwords.
void transpose_tile(const std::int32_t* from, std::int64_t from_stride, std::int64_t rows, std::int64_t columns, std::int32_t* to, std::int64_t to_stride);

}  // namespace lastbit
