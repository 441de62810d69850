// stream.hpp: a layer's accumulators, a cache-sized block at a time, from the operands as the dump stores them.
//
// What follows an accumulation (requantize, compare, exact form, float form) reads a block while it is hot and forgets it: no pass over a
// whole layer's int32 sums in memory. accumulate() (accumulate.hpp) remains for what needs them all, accumulate_plain() is the judge of both.
#pragma once
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "lib/kernels/accumulate.hpp"
#include "lib/kernels/tile.hpp"
#include "lib/tensor/dtype.hpp"

namespace lastbit {

/// Operands in storage: row-major, not widened, zero points not taken off. The spans outlive the call.
struct StoredOperands {
  DType x_dtype = DType::uint8, w_dtype = DType::int8;
  const std::byte* x = nullptr;  // [N, g*Cg, in...], or [N, in..., g*Cg] when channels_last
  const std::byte* w = nullptr;  // [g*Og, Cg, taps], or [g*Og, taps, Cg] when w_channels_last
  bool channels_last = false, w_channels_last = false;
  std::int64_t x_zero_point = 0;
  std::span<const std::int64_t> w_zero_point;  // none, one, or per output channel
  bool w_terms_first = false;                  // w is [Cg, Og] of one group and one tap; only where columns_take() (columns.hpp) says so

  std::int64_t w_zero_point_of(std::int64_t channel) const { return w_zero_point.empty() ? 0 : w_zero_point[w_zero_point.size() == 1 ? 0 : static_cast<std::size_t>(channel)]; }
};

/// Where the terms of a block's sums lie, in the order of the terms: taps ascending, channel fastest. A tap outside, or a channel that fills
/// up a dword, has the zero point or a weight of 0.
struct BlockTerms {
  std::int32_t x_zero_point = 0;
  const std::byte* x = nullptr;            // uint8, of one image
  const std::int64_t* pixels = nullptr;    // where each of the block's positions begins in x
  const TermSegment* segments = nullptr;
  std::int64_t segment_count = 0;
  const std::byte* w = nullptr;            // int8, one row a channel of the block, zero points all 0
  std::int64_t w_stride = 0;
  const double* w_norm = nullptr;          // of each channel: sqrt(sum w^2)
  double x_norm = 0;                       // no position's sqrt(sum (x - zero point)^2) is larger
  std::int64_t between = 0;                // peak looks every so many terms, or oftener
};

/// Sums of `runs` runs of `length` consecutive output elements each, in row-major order of the output: [N, O, P], or [N, P, O] when the
/// request says channels_last. Run r begins at output element first + r * step; its sums are acc[r * acc_step ...] (or wide[...] when they
/// may exceed int32; the other is null). A run never crosses from one channel to the next in [N, O, P], nor one position in [N, P, O].
struct SumBlock {
  std::int64_t first = 0, runs = 0, step = 0, length = 0, acc_step = 0;
  const std::int32_t* acc = nullptr;
  const std::int64_t* wide = nullptr;
  const BlockTerms* terms = nullptr;       // when asked for, and the kernel keeps them
  const std::int32_t* peak = nullptr;      // acc's places: how far from 0 a sum was at any look; null with terms: there were no more than `between`
  // When the request says by_position, a block of an output in planes may come with these instead of acc and peak: [length][by_position_step], run
  // after run in a row.
  const std::int32_t* by_position = nullptr;
  const std::int32_t* peak_by_position = nullptr;
  std::int64_t by_position_step = 0;
};

/// Gives a block that came by position its acc and peak, in memory that stays until the thread's next block.
void turn_sums(SumBlock&);

struct StreamRequest {
  Geometry geometry;
  StoredOperands operands;
  bool channels_last = false;  // order of the output
  bool terms = false;          // blocks say where their terms lie
  bool by_position = false;    // SumBlock::by_position will do
};

/// What a stream can tell besides.
struct StreamNotes {
  double pack_seconds = 0;                     // that bringing weights into the kernel's order took
  std::vector<std::int64_t> w_sum, w_size;     // per output channel, over all its terms: of w - zero point, of |w - zero point|; empty: not formed
};

/// Every output element once, in blocks in any order; the sums are the exact ones of accumulate.hpp's formula. Returns the kernel's name.
std::string stream_sums(const StreamRequest&, const std::function<void(const SumBlock&)>&, StreamNotes* = nullptr);

}  // namespace lastbit
