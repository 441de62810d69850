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

}  // namespace lastbit
