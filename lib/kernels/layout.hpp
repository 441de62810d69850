// layout.hpp: an input brought into the order that tiles read: channels last, padded, uint8 or int16 with its zero point off.
#pragma once
#include <cstddef>
#include <cstdint>

#include "lib/kernels/target.hpp"
#include "lib/tensor/dtype.hpp"

namespace lastbit {

struct LayJob {
  Kind kind = Kind::bytes;
  DType dtype = DType::uint8;
  const std::byte* from = nullptr;           // value of channel c at position i: element c * channel_stride + i * position_stride
  std::int64_t channels = 0, padded_channels = 0, positions = 0, channel_stride = 0, position_stride = 0;
  const std::int64_t* offsets = nullptr;     // byte offset of each position in `to`
  std::byte* to = nullptr;
  std::int64_t zero_point = 0;               // words: taken off. Bytes keep it: int8 becomes uint8 by + 128
};

/// Every position's channels, those beyond `channels` zero.
void lay_input(const LayJob&);

/// Planes of bytes side by side: to[i * pitch + c] = from[c * positions + i]; `pitch` a multiple of 4, no less than `channels`; what lies between
/// the two is 0.
void lay_planes(const std::byte* from, std::int64_t channels, std::int64_t positions, std::int64_t pitch, std::byte* to);

/// One element, widened.
inline std::int32_t stored_value(DType d, const std::byte* p, std::int64_t i) {
  switch (d) {
    case DType::int8: case DType::int4: case DType::int2: return reinterpret_cast<const std::int8_t*>(p)[i];
    case DType::int16: return reinterpret_cast<const std::int16_t*>(p)[i];
    case DType::uint16: return reinterpret_cast<const std::uint16_t*>(p)[i];
    case DType::int32: return reinterpret_cast<const std::int32_t*>(p)[i];
    default: return reinterpret_cast<const std::uint8_t*>(p)[i];
  }
}
constexpr bool is_signed(DType d) { return info(d).min < 0; }

}  // namespace lastbit
