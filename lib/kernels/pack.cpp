// pack.cpp: see pack.hpp.
#include "lib/kernels/pack.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "lib/kernels/layout.hpp"
#include "lib/kernels/signed_sums.hpp"
#include "lib/num/int.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/kernels/pack.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include "lib/kernels/dot-inl.h"

LASTBIT_BEFORE_NAMESPACE();
namespace lastbit::HWY_NAMESPACE {

/// One channel's [C, taps] bytes as [taps, C]: `stride` bytes a row of `to`, a multiple of 16.
HWY_ATTR void turn_row(const PackJob& job, std::int64_t channel, std::uint8_t* to, std::int64_t stride) {
  const D8x16 d;
  const auto* w = reinterpret_cast<const std::uint8_t*>(job.w);
  for (std::int64_t c = 0; c < job.in_channels; c += 16)
    for (std::int64_t t = 0; t < job.taps; t += 16) {
      V8x16 r[16];
      for (std::int64_t i = 0; i < 16; ++i) {
        const std::int64_t at = (channel * job.in_channels + c + i) * job.taps + t;
        if (c + i >= job.in_channels) r[i] = hn::Zero(d);
        else if (at + 16 <= job.elements) r[i] = hn::LoadU(d, w + at);
        else {
          alignas(16) std::uint8_t last[16] = {};
          std::memcpy(last, w + at, static_cast<std::size_t>(job.elements - at));
          r[i] = hn::Load(d, last);
        }
      }
      transpose16x16(r);
      for (std::int64_t i = 0; i < std::min<std::int64_t>(16, job.taps - t); ++i) hn::StoreU(r[i], d, to + (t + i) * stride + c);
    }
}

#if LASTBIT_BYTES
/// One channel's [C, taps] bytes, C a multiple of 16 and at most 16 taps, as [taps, C]: four channels' bytes of one tap become a dword of a
/// register, four such registers are transposed by dwords. Returns false where a load would read past `end`.
HWY_INLINE bool turn_sixteens(const std::uint8_t* w, const std::uint8_t* end, std::int64_t C, std::int64_t taps, std::uint8_t* to) {
  if (C % 16 || taps > 16) return false;
  alignas(64) std::uint8_t index[64];
  for (std::int64_t i = 0; i < 64; ++i) index[i] = static_cast<std::uint8_t>((i % 4 * taps + std::min(i / 4, taps - 1)) % 64);
  const __m512i of_tap = _mm512_load_si512(index);
  for (std::int64_t c = 0; c < C; c += 16) {
    const std::uint8_t* from = w + c * taps;
    if (from + 12 * taps + 64 > end) return false;
    __m512i r[4];
    for (std::int64_t q = 0; q < 4; ++q) r[q] = _mm512_permutexvar_epi8(of_tap, _mm512_loadu_si512(from + 4 * q * taps));
    const __m512i a = _mm512_unpacklo_epi32(r[0], r[1]), b = _mm512_unpackhi_epi32(r[0], r[1]), c2 = _mm512_unpacklo_epi32(r[2], r[3]), d = _mm512_unpackhi_epi32(r[2], r[3]);
    alignas(64) std::uint8_t all[4][64];  // quarter k of row j: tap 4k + j
    _mm512_store_si512(all[0], _mm512_unpacklo_epi64(a, c2));
    _mm512_store_si512(all[1], _mm512_unpackhi_epi64(a, c2));
    _mm512_store_si512(all[2], _mm512_unpacklo_epi64(b, d));
    _mm512_store_si512(all[3], _mm512_unpackhi_epi64(b, d));
    for (std::int64_t t = 0; t < taps; ++t) std::memcpy(to + t * C + c, all[t % 4] + 16 * (t / 4), 16);
  }
  return true;
}
#endif

HWY_ATTR void sums_of(const std::int8_t* row, std::int64_t count, std::int32_t zero, std::int32_t& sum, std::int64_t& size) {
  std::int32_t s = 0;
  std::int64_t total = 0, i = 0;
#if LASTBIT_BYTES
  if (zero == 0) {  // a step adds at most 4 * 128 to a lane: after 2^16 steps all lanes together stay below 2^30
    const D32 d;
    const hn::Repartition<std::int8_t, D32> d8;
    V32 sums = hn::Zero(d), sizes = sums;
    const V32 ones = hn::BitCast(d, hn::Set(d8, std::int8_t{1}));
    for (const std::int64_t whole = std::min<std::int64_t>(count, std::int64_t{1} << 22); i + 64 <= whole; i += 64) {
      const auto w = hn::LoadU(d8, row + i);
      sums = Bytes::dot(sums, ones, hn::BitCast(d, w));
      sizes = Bytes::dot(sizes, hn::BitCast(d, hn::Abs(w)), ones);  // |-128| is 128 as uint8
    }
    s = hn::GetLane(hn::SumOfLanes(d, sums));
    total = hn::GetLane(hn::SumOfLanes(d, sizes));
  }
#endif
  for (std::int64_t k = i; k < count; ++k) s += row[k];
  for (; i < count; i += 4096) {
    std::int32_t part = 0;
    for (std::int64_t k = i; k < std::min(count, i + 4096); ++k) part += std::abs(row[k] - zero);
    total += part;
  }
  sum = s;
  size = total;
}

/// `count` bytes as words from the zero point; adds up them and their sizes. Loops that the compiler turns into vectors.
template <class T>
HWY_ATTR void words_of(const std::uint8_t* bytes, std::int64_t count, std::int32_t zero, std::int16_t* to, std::int64_t& sum, std::int64_t& size) {
  const auto* from = reinterpret_cast<const T*>(bytes);
  for (std::int64_t i = 0; i < count; ++i) to[i] = static_cast<std::int16_t>(from[i] - zero);
  for (std::int64_t i = 0; i < count; i += 4096) {  // 4096 sizes of at most 32768 fit
    std::int32_t part = 0, sizes = 0;
    for (std::int64_t k = i; k < std::min(count, i + 4096); ++k) part += to[k], sizes += std::abs(std::int32_t{to[k]});
    sum += part, size += sizes;
  }
}

/// Returns the rows [width][dwords] that were turned: `rows`, or the weights themselves where they lie in that order.
HWY_ATTR const std::byte* pack_phase(const PackJob& job, const std::vector<std::int64_t>& taps, PackedPhase& phase, std::byte* to, std::byte* rows, std::uint8_t* turned) {
  const bool bytes = job.kind == Kind::bytes;
  const std::int64_t C = job.in_channels, padded = job.padded_in_channels, terms = static_cast<std::int64_t>(taps.size()) * padded;
  const std::int64_t stride = phase.dwords * 4;
  const std::int32_t flip = bytes && !is_signed(job.dtype) ? 128 : 0;
  const std::int64_t turned_stride = (C + 15) / 16 * 16;
  const auto zero_of = [&](std::int64_t o) { return job.zero_point.empty() ? 0 : job.zero_point[job.zero_point.size() == 1 ? 0 : static_cast<std::size_t>(job.first + o)]; };
  const bool one_byte = stored_bytes(job.dtype) == 1, turn = one_byte && !job.channels_last && job.taps > 1;
  bool all_taps = static_cast<std::int64_t>(taps.size()) == job.taps;
  for (std::size_t k = 0; k < taps.size(); ++k) all_taps = all_taps && taps[k] == static_cast<std::int64_t>(k);
  const auto add_up = [&](std::int64_t o, const void* row) HWY_ATTR {
    const auto i = static_cast<std::size_t>(o);
    sums_of(static_cast<const std::int8_t*>(row), terms, static_cast<std::int32_t>(zero_of(o) - flip), phase.sum[i], phase.size[i]);
  };
  const bool in_order = bytes && !flip && C == padded && all_taps;  // a row is a channel's bytes, turned or not
  if (in_order && !turn && job.count == job.width && reinterpret_cast<std::uintptr_t>(job.w) % 4 == 0) {
    const std::byte* w = job.w + job.first * terms;
    for (std::int64_t o = 0; o < job.count; ++o) add_up(o, w + o * stride);
    transpose_dwords(reinterpret_cast<const std::int32_t*>(w), phase.dwords, job.width, phase.dwords, reinterpret_cast<std::int32_t*>(to + phase.begin), job.width);
    return w;
  }
  for (std::int64_t o = 0; o < job.count; ++o) {
    const std::int64_t channel = job.first + o, zero = zero_of(o);
#if LASTBIT_BYTES
    if (in_order && turn) {
      const auto* w = reinterpret_cast<const std::uint8_t*>(job.w);
      auto* row = reinterpret_cast<std::uint8_t*>(rows + o * stride);
      if (turn_sixteens(w + channel * terms, w + job.elements, C, job.taps, row)) {
        add_up(o, row);
        continue;
      }
    }
#endif
    if (turn) turn_row(job, channel, turned, turned_stride);
    const auto from_of = [&](std::int64_t tap) { return turn ? turned + tap * turned_stride : reinterpret_cast<const std::uint8_t*>(job.w) + (channel * job.taps + tap) * C; };
    if (bytes) {
      auto* row = reinterpret_cast<std::uint8_t*>(rows + o * stride);
      for (std::size_t k = 0; k < taps.size(); ++k) {
        std::uint8_t* r = row + static_cast<std::int64_t>(k) * padded;
        const std::uint8_t* from = from_of(taps[k]);
        if (flip) for (std::int64_t c = 0; c < C; ++c) r[c] = from[c] ^ std::uint8_t{0x80};
        else std::memcpy(r, from, static_cast<std::size_t>(C));
        std::fill(r + C, r + padded, std::uint8_t{0});
      }
      add_up(o, row);
      phase.size[static_cast<std::size_t>(o)] -= std::abs(zero - flip) * (padded - C) * static_cast<std::int64_t>(taps.size());  // the zeros between C and padded are no terms
    } else {
      auto* row = reinterpret_cast<std::int16_t*>(rows + o * stride);
      std::int64_t sum = 0, size = 0;
      for (std::size_t k = 0; k < taps.size(); ++k) {
        std::int16_t* r = row + static_cast<std::int64_t>(k) * padded;
        if (one_byte) {
          const auto z = static_cast<std::int32_t>(zero);
          is_signed(job.dtype) ? words_of<std::int8_t>(from_of(taps[k]), C, z, r, sum, size) : words_of<std::uint8_t>(from_of(taps[k]), C, z, r, sum, size);
        } else {
          for (std::int64_t c = 0; c < C; ++c) {
            const std::int64_t v = stored_value(job.dtype, job.w, job.channels_last ? (channel * job.taps + taps[k]) * C + c : (channel * C + c) * job.taps + taps[k]) - zero;
            r[c] = static_cast<std::int16_t>(v);
            sum += v, size += std::abs(v);
          }
        }
        std::fill(r + C, r + padded, std::int16_t{0});
      }
      phase.sum[static_cast<std::size_t>(o)] = wrap32(sum);
      phase.size[static_cast<std::size_t>(o)] = size;
    }
  }
  std::memset(rows + job.count * stride, 0, static_cast<std::size_t>((job.width - job.count) * stride));
  transpose_dwords(reinterpret_cast<const std::int32_t*>(rows), phase.dwords, job.width, phase.dwords, reinterpret_cast<std::int32_t*>(to + phase.begin), job.width);
  return rows;
}

}  // namespace lastbit::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lastbit {

HWY_EXPORT(pack_phase);

namespace {

std::int64_t dwords(const PackJob& job, std::size_t phase) {
  return static_cast<std::int64_t>(job.phases[phase].size()) * job.padded_in_channels / (job.kind == Kind::bytes ? 4 : 2);
}

}  // namespace

std::int64_t packed_bytes(const PackJob& job) {
  std::int64_t all = 0;
  for (std::size_t p = 0; p < job.phases.size(); ++p) all += dwords(job, p) * job.width * 4;
  return all;
}

std::vector<PackedPhase> pack_weights(const PackJob& job, std::byte* to, Scratch& scratch) {
  std::vector<PackedPhase> packed(job.phases.size());
  std::int64_t at = 0, largest = 0;
  for (std::size_t p = 0; p < packed.size(); ++p) {
    packed[p].begin = at;
    packed[p].dwords = dwords(job, p);
    packed[p].sum.assign(static_cast<std::size_t>(job.width), 0);
    packed[p].size.assign(static_cast<std::size_t>(job.width), 0);
    if (job.squares) packed[p].squares.resize(static_cast<std::size_t>(job.width));
    at += packed[p].dwords * job.width * 4;
    largest = std::max(largest, packed[p].dwords);
  }
  const std::int64_t turned = (job.taps + 15) / 16 * 16 * ((job.in_channels + 15) / 16 * 16), rows = (largest * job.width * 4 + 63) / 64 * 64;
  auto* memory = scratch.get<std::byte>(rows + turned);
  for (std::size_t p = 0; p < packed.size(); ++p)
    packed[p].rows = HWY_DYNAMIC_DISPATCH(pack_phase)(job, job.phases[p], packed[p], to, memory, reinterpret_cast<std::uint8_t*>(memory + rows));
  if (job.squares)
    for (std::int64_t o = 0; o < job.count; ++o) packed.back().squares[static_cast<std::size_t>(o)] = square_sum(packed.back().rows + o * packed.back().dwords * 4, packed.back().dwords * 4);
  return packed;
}

}  // namespace lastbit
#endif
