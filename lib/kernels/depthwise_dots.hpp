// depthwise_dots.hpp: one channel in, one channel out: along the rows of a plane, or across channels that lie side by side.
#pragma once
#include <cstddef>
#include <cstdint>

#include "lib/kernels/target.hpp"

namespace lastbit {

/// Neighbouring terms of one kernel row: a dword of weights for the dword of x at `offset` bytes after an output's first one.
struct PlaneTap {
  std::int64_t offset = 0;
  std::int32_t weights = 0;
};

struct PlaneJob {
  Kind kind = Kind::bytes;
  const std::byte* x = nullptr;      // readable 256 bytes past the last output's last tap
  std::int64_t stride = 1;           // elements from one output to the next: 1, 2 or 4 bytes, 1 or 2 words
  const PlaneTap* taps = nullptr;
  std::int64_t tap_count = 0;
  std::int32_t start = 0;
  std::int64_t outputs = 0;
  std::int32_t* out = nullptr;       // room for 64 more
};
/// out[i] = start + sum of x * w, for consecutive outputs of a row (or of rows one after the other, when the stride is 1).
void plane_products(const PlaneJob&);

struct ChannelJob {
  const std::byte* x = nullptr;      // words, channels last
  const std::int64_t* pixels = nullptr;
  const std::int32_t* rows = nullptr;
  std::int64_t count = 0;
  const std::int64_t* taps = nullptr;   // byte offsets, an even number of them (a last one is repeated, its weights 0)
  std::int64_t tap_count = 0;
  const std::int16_t* w = nullptr;   // [taps][channels]
  std::int64_t channels = 0;         // a multiple of twice the vector's lanes
  std::int32_t* out = nullptr;       // out[rows[i] * channels + c]
};
void channel_products(const ChannelJob&);

/// A row of an image stored channels last, to be made quads of: dword [q][c] has x of channel c at padded positions q, q + dilation,
/// q + 2 dilation, q + 3 dilation; first in the lowest byte.
struct QuadRow {
  const std::byte* x = nullptr;      // [positions][channels]; null: a row of padding
  const std::byte* end = nullptr;    // of the tensor: nothing past it is read
  std::int64_t channels = 0, padded_channels = 0;  // the latter a multiple of the vector's lanes
  bool flip = false;                 // int8: becomes uint8 by + 128
  std::uint8_t zero = 0;             // what padding holds
  std::int64_t before = 0, positions = 0, dilation = 1, quads = 0;
  std::int32_t* to = nullptr;
};
void lay_quads(const QuadRow&);

struct QuadJob {
  const std::int32_t* quads = nullptr;
  const std::int64_t* taps = nullptr;   // where each kernel row's quads begin, for the first output
  std::int64_t tap_count = 0;
  const std::int32_t* w = nullptr;      // [taps][channels] dwords
  const std::int32_t* start = nullptr;  // [channels]
  std::int64_t channels = 0, outputs = 0;
  std::int64_t step = 0;                // dwords from one output's quads to the next one's
  std::int32_t* out = nullptr;          // [outputs][channels]
};
/// out[i][c] = start[c] + sum over taps of quads . w, where the target has Kind::bytes.
void quad_products(const QuadJob&);

}  // namespace lastbit
