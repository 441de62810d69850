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
};

/// Sums of `runs` runs of `length` consecutive output elements each, in row-major order of the output: [N, O, P], or [N, P, O] when the
/// request says channels_last. Run r begins at output element first + r * step; its sums are acc[r * acc_step ...] (or wide[...] when they
/// may exceed int32; the other is null). A run never crosses from one channel to the next in [N, O, P], nor one position in [N, P, O].
struct SumBlock {
  std::int64_t first = 0, runs = 0, step = 0, length = 0, acc_step = 0;
  const std::int32_t* acc = nullptr;
  const std::int64_t* wide = nullptr;
};

struct StreamRequest {
  Geometry geometry;
  StoredOperands operands;
  bool channels_last = false;  // order of the output
};

/// What a stream can tell besides.
struct StreamNotes {
  double pack_seconds = 0;                     // that bringing weights into the kernel's order took
  std::vector<std::int64_t> w_sum, w_size;     // per output channel, over all its terms: of w - zero point, of |w - zero point|; empty: not formed
};

/// Every output element once, in blocks in any order; the sums are the exact ones of accumulate.hpp's formula. Returns the kernel's name.
std::string stream_sums(const StreamRequest&, const std::function<void(const SumBlock&)>&, StreamNotes* = nullptr);

}  // namespace lastbit
