// layout.cpp: see layout.hpp.
#include "lib/kernels/layout.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/kernels/layout.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include "lib/kernels/dot-inl.h"

LASTBIT_BEFORE_NAMESPACE();
namespace lastbit::HWY_NAMESPACE {

/// Sixteen positions of sixteen channels of a planar 8-bit tensor; `rows` of the channels exist.
HWY_INLINE void load_block(const std::byte* from, std::int64_t channel_stride, std::int64_t rows, V8x16 flip, V8x16 (&r)[16]) {
  const D8x16 d;
  const auto row = [&](std::int64_t c) HWY_ATTR { return hn::Xor(hn::LoadU(d, reinterpret_cast<const std::uint8_t*>(from) + c * channel_stride), flip); };
  if (rows >= 16) {
    LASTBIT_UNROLL
    for (std::int64_t c = 0; c < 16; ++c) r[c] = row(c);
  } else {
    for (std::int64_t c = 0; c < 16; ++c) r[c] = c < rows ? row(c) : hn::Zero(d);
  }
  transpose16x16(r);
}

/// `count` channels (at most 16) of one position.
template <class Store>
HWY_ATTR void planes(const LayJob& job, Store store) {
  const D8x16 d;
  const V8x16 flip = hn::Set(d, is_signed(job.dtype) ? std::uint8_t{0x80} : std::uint8_t{0});
  // Squares of 64: a line that is loaded or stored is used whole while it is near.
  constexpr std::int64_t square = 64;
  for (std::int64_t positions = 0; positions < job.positions; positions += square)
    for (std::int64_t channels = 0; channels < job.padded_channels; channels += square)
      for (std::int64_t first = positions; first < std::min(positions + square, job.positions); first += 16) {
        const std::int64_t i = std::min(first, job.positions - 16);  // the last block overlaps
        for (std::int64_t c = channels; c < std::min(channels + square, job.padded_channels); c += 16) {
          V8x16 r[16];
          load_block(job.from + c * job.channel_stride + i, job.channel_stride, job.channels - c, flip, r);
          const std::int64_t count = std::min<std::int64_t>(16, job.padded_channels - c);
          if (count == 16) {
            LASTBIT_UNROLL
            for (std::int64_t p = 0; p < 16; ++p) store(r[p], job.to + job.offsets[i + p], c, 16);
          } else {
            for (std::int64_t p = 0; p < 16; ++p) store(r[p], job.to + job.offsets[i + p], c, count);
          }
        }
      }
}

/// Channels-last rows as words; loops that the compiler turns into vectors.
template <class T>
HWY_ATTR void word_rows(const LayJob& job) {
  const auto zero = static_cast<std::int32_t>(job.zero_point);
  const std::int64_t channels = job.channels;
  for (std::int64_t i = 0; i < job.positions; ++i) {
    const T* from = reinterpret_cast<const T*>(job.from) + i * job.position_stride;
    auto* to = reinterpret_cast<std::int16_t*>(job.to + job.offsets[i]);
    for (std::int64_t c = 0; c < channels; ++c) to[c] = static_cast<std::int16_t>(from[c] - zero);
    std::fill(to + channels, to + job.padded_channels, std::int16_t{0});
  }
}

HWY_ATTR void lay_input_on(const LayJob& job) {
  const bool planar = job.position_stride == 1 && stored_bytes(job.dtype) == 1 && job.positions >= 16;
  if (planar && job.kind == Kind::bytes)
    return planes(job, [](V8x16 v, std::byte* to, std::int64_t c, std::int64_t count) HWY_ATTR {
      const D8x16 d;
      auto* p = reinterpret_cast<std::uint8_t*>(to) + c;
      if (count == 16) return hn::StoreU(v, d, p);
      alignas(16) std::uint8_t all[16];
      hn::Store(v, d, all);
      for (std::int64_t k = 0; k < count; k += 4) std::memcpy(p + k, all + k, 4);
    });
  if (planar && job.zero_point > -32000 && job.zero_point < 32000) {
    const hn::FixedTag<std::int16_t, 8> d16;
    // Bytes were flipped to uint8, so int8's zero point moves by 128. A channel that does not exist is 0 there too.
    const auto zero = static_cast<std::int16_t>(job.zero_point + (is_signed(job.dtype) ? 128 : 0));
    const std::int64_t channels = job.channels;
    return planes(job, [=](V8x16 v, std::byte* to, std::int64_t c, std::int64_t count) HWY_ATTR {
      alignas(16) std::int16_t all[16];
      const D8x16 d;
      const auto z = hn::Set(d16, zero);
      hn::Store(hn::Sub(hn::PromoteTo(d16, hn::LowerHalf(v)), z), d16, all);
      hn::Store(hn::Sub(hn::PromoteTo(d16, hn::LowerHalf(hn::ShiftRightBytes<8>(d, v))), z), d16, all + 8);
      for (std::int64_t k = std::max<std::int64_t>(channels - c, 0); k < count; ++k) all[k] = 0;
      std::memcpy(to + 2 * c, all, static_cast<std::size_t>(2 * count));
    });
  }
  if (job.kind == Kind::words && job.channel_stride == 1 && job.zero_point > -70000 && job.zero_point < 70000) {
    if (stored_bytes(job.dtype) == 1) return is_signed(job.dtype) ? word_rows<std::int8_t>(job) : word_rows<std::uint8_t>(job);
    if (job.dtype == DType::int16) return word_rows<std::int16_t>(job);
  }
  if (job.kind == Kind::bytes && job.channel_stride == 1 && job.channels == 3 && job.padded_channels == 4 && job.position_stride == 3) {  // pictures: a dword a pixel
    const std::uint32_t flip = is_signed(job.dtype) ? 0x808080 : 0;
    const auto put = [&](std::int64_t i, std::uint32_t v) {
      v = (v & 0xFFFFFF) ^ flip;
      std::memcpy(job.to + job.offsets[i], &v, 4);
    };
    std::uint32_t v = 0;
    for (std::int64_t i = 0; i + 1 < job.positions; ++i) {
      std::memcpy(&v, job.from + 3 * i, 4);
      put(i, v);
    }
    std::memcpy(&(v = 0), job.from + 3 * (job.positions - 1), 3);  // nothing past the last
    return put(job.positions - 1, v);
  }
  // Channels-last storage, wider values, tiny images.
  const std::int32_t flip = job.kind == Kind::bytes && is_signed(job.dtype) ? 128 : 0;
  const bool rows = job.kind == Kind::bytes && job.channel_stride == 1;
  for (std::int64_t i = 0; i < job.positions; ++i) {
    std::byte* to = job.to + job.offsets[i];
    if (rows) {
      const auto* from = reinterpret_cast<const std::uint8_t*>(job.from) + i * job.position_stride;
      auto* bytes = reinterpret_cast<std::uint8_t*>(to);
      if (flip) for (std::int64_t c = 0; c < job.channels; ++c) bytes[c] = from[c] ^ std::uint8_t{0x80};
      else std::memcpy(bytes, from, static_cast<std::size_t>(job.channels));
      std::fill(bytes + job.channels, bytes + job.padded_channels, std::uint8_t{0});
    } else if (job.kind == Kind::bytes) {
      auto* bytes = reinterpret_cast<std::uint8_t*>(to);
      for (std::int64_t c = 0; c < job.channels; ++c) bytes[c] = static_cast<std::uint8_t>(stored_value(job.dtype, job.from, c * job.channel_stride + i * job.position_stride) + flip);
      std::fill(bytes + job.channels, bytes + job.padded_channels, std::uint8_t{0});
    } else {
      auto* words = reinterpret_cast<std::int16_t*>(to);
      for (std::int64_t c = 0; c < job.channels; ++c) words[c] = static_cast<std::int16_t>(stored_value(job.dtype, job.from, c * job.channel_stride + i * job.position_stride) - job.zero_point);
      std::fill(words + job.channels, words + job.padded_channels, std::int16_t{0});
    }
  }
}

}  // namespace lastbit::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lastbit {

HWY_EXPORT(lay_input_on);

void lay_input(const LayJob& job) { HWY_DYNAMIC_DISPATCH(lay_input_on)(job); }

void lay_planes(const std::byte* from, std::int64_t channels, std::int64_t positions, std::int64_t pitch, std::byte* to) {
  std::vector<std::int64_t> offsets;
  for (std::int64_t i = 0; i < positions; ++i) offsets.push_back(i * pitch);
  LayJob job;
  job.dtype = DType::uint8;  // whatever they are: bytes stay as they are
  job.from = from;
  job.channels = channels;
  job.padded_channels = pitch;
  job.positions = job.channel_stride = positions;
  job.position_stride = 1;
  job.offsets = offsets.data();
  job.to = to;
  lay_input(job);
}

}  // namespace lastbit
#endif
