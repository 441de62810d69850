// tiling.hpp: what tiles and depthwise channels share: inputs laid out, positions in blocks, sums handed out in the output's order.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

#include "lib/kernels/tile.hpp"
#include "lib/kernels/tiles.hpp"
#include "lib/kernels/window_plan.hpp"
#include "lib/tensor/scratch.hpp"

namespace lastbit {

inline constexpr std::int64_t int32_max = std::numeric_limits<std::int32_t>::max();

/// One thread's memory, used again for every layer.
struct Memory {
  Scratch x, w, rows, sums, turned, wide, wide_turned, peaks, peaks_turned;
};

/// Positions of one image in the order in which blocks take them: pixel offsets sorted by kind inside each block.
struct Blocks {
  struct Part {
    std::int64_t kind, begin, count;
  };
  std::vector<std::int64_t> first;          // first position of each block, and the end
  std::vector<std::int64_t> part_begin;     // of each block in parts, and the end
  std::vector<Part> parts;
  std::vector<std::int64_t> offsets;        // bytes, per position of `rows`
  std::vector<std::int32_t> rows;           // position - first
  std::vector<std::int64_t> places;         // offsets in the order of positions; empty: the same
  const std::int64_t* of_positions() const { return places.empty() ? offsets.data() : places.data(); }
};

/// Matrix products: rows are the positions of one image. Other requests stay as they are.
StreamRequest rows_as_positions(StreamRequest);

/// A request with `padded_channels` of each position laid out. `apart`: positions are told apart by which of their taps read padding.
struct Tiling {
  Tiling(const StreamRequest&, Kind, std::int64_t padded_channels, bool may_stay, bool apart, const std::function<void(const SumBlock&)>&);

  const StreamRequest& request;
  const Geometry& g;
  const StoredOperands& in;
  Kind kind;
  const std::function<void(const SumBlock&)>& sink;
  Memory& memory;
  WindowPlan plan;
  std::int64_t element_bytes, padded_channels, pixel_bytes, image_bytes;
  bool in_place = false;     // x is read where it lies
  std::int64_t x_zero = 0;   // as laid out
  Blocks blocks;
  /// Of each kind of positions: the phases, and after them, of the only phase, what is left of its taps where some read padding.
  std::vector<std::vector<AxisTap>> taps;
  std::int64_t phase_of(std::int64_t kind) const { return kind < plan.phase_count ? kind : 0; }

  /// One image's channels of one group.
  void lay(std::int64_t n, std::int64_t group, std::byte* to) const;
  /// Sums [position][width] of `count` positions and `channels` channels; acc or wide. With terms: what SumBlock says of them.
  void hand_out(const std::int32_t* acc, const std::int64_t* wide, std::int64_t width, std::int64_t n, std::int64_t channel, std::int64_t channels, std::int64_t position, std::int64_t count,
                const BlockTerms* terms = nullptr, const std::int32_t* peak = nullptr) const;
};

}  // namespace lastbit
