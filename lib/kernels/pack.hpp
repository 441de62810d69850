// pack.hpp: weights brought into the order in which tiles read them.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "lib/kernels/target.hpp"
#include "lib/tensor/dtype.hpp"
#include "lib/tensor/scratch.hpp"

namespace lastbit {

struct PackJob {
  Kind kind = Kind::bytes;
  DType dtype = DType::int8;
  const std::byte* w = nullptr;              // [all channels, C, taps], or [all channels, taps, C]
  std::int64_t elements = 0;                 // of the whole tensor: nothing past it is read
  bool channels_last = false;
  std::int64_t first = 0, count = 0;         // output channels to pack
  std::int64_t in_channels = 0, padded_in_channels = 0, taps = 1;
  std::span<const std::int64_t> zero_point;  // none, one, or one per output channel
  std::int64_t width = 0;                    // channels of the tile, count and zeros
  bool squares = false;                      // PackedPhase::squares is wanted
  std::vector<std::vector<std::int64_t>> phases;  // taps of each phase, in the order of its terms
};

/// What the numbers of one phase come to, for each of the tile's channels.
struct PackedPhase {
  std::int64_t begin = 0, dwords = 0;        // within the packed bytes; terms / (4 or 2)
  std::vector<std::int32_t> sum;             // of w as packed (uint8 weights minus 128; words minus their zero point)
  std::vector<std::int64_t> squares;         // their sum, of w as packed, Kind::bytes; of the last phase, when asked for
  const std::byte* rows = nullptr;           // of the last phase, until the scratch is used again: [width][dwords], one channel's terms side by side
  std::vector<std::int64_t> size;            // of |w - zero point|: times the largest |x - zero point| it bounds every partial sum
};

/// to[phase][dword][width]: returns one entry per phase. `to` holds packed_bytes(job).
std::int64_t packed_bytes(const PackJob&);
std::vector<PackedPhase> pack_weights(const PackJob&, std::byte* to, Scratch& rows);

}  // namespace lastbit
