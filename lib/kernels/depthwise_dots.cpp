// depthwise_dots.cpp: see depthwise_dots.hpp.
#include "lib/kernels/depthwise_dots.hpp"

#include <cstring>

#include "lib/error.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/kernels/depthwise_dots.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include "lib/kernels/dot-inl.h"

LASTBIT_BEFORE_NAMESPACE();
namespace lastbit::HWY_NAMESPACE {

/// Dword j of a load that begins s outputs on belongs to output s + j * S: S loads, S sums, one interleaving store.
template <class K, int S>
HWY_NOINLINE HWY_ATTR void line(const PlaneJob& job) {
  const D32 d;
  constexpr auto step = static_cast<std::int64_t>(lanes) * S;
  const std::int64_t shift = job.stride * static_cast<std::int64_t>(sizeof(typename K::X));
  const V32 start = hn::Set(d, job.start);
  for (std::int64_t i = 0; i < job.outputs; i += step) {
    const std::byte* x = job.x + i * shift;
    V32 acc[S];
    for (int s = 0; s < S; ++s) acc[s] = start;
    for (std::int64_t t = 0; t < job.tap_count; ++t) {
      const V32 w = hn::Set(d, job.taps[t].weights);
      const std::byte* at = x + job.taps[t].offset;
      for (int s = 0; s < S; ++s) acc[s] = K::dot(acc[s], load(at + s * shift), w);
    }
    if constexpr (S == 1) hn::StoreU(acc[0], d, job.out + i);
    if constexpr (S == 2) hn::StoreInterleaved2(acc[0], acc[1], d, job.out + i);
  }
}

#if LASTBIT_BYTES
/// The same for outputs side by side: dwords of bytes that overlap come from registers, byte by byte, and are in the outputs' order.
HWY_NOINLINE HWY_ATTR void line_by_bytes(const PlaneJob& job) {
  const D32 d;
  alignas(64) std::uint8_t of[3][64];
  for (int part = 0; part < 3; ++part)
    for (int i = 0; i < 64; ++i) of[part][i] = static_cast<std::uint8_t>(16 * part + i / 4 + i % 4);
  const __m512i first = _mm512_load_si512(of[0]), second = _mm512_load_si512(of[1]), third = _mm512_load_si512(of[2]);
  const V32 start = hn::Set(d, job.start);
  for (std::int64_t i = 0; i < job.outputs; i += 64) {
    const std::byte* x = job.x + i;
    V32 acc[4] = {start, start, start, start};
    for (std::int64_t t = 0; t < job.tap_count; ++t) {
      const V32 w = hn::Set(d, job.taps[t].weights);
      const std::byte* at = x + job.taps[t].offset;
      __m512i low = load(at).raw;
      const __m512i high = load(at + 48).raw;
      asm("" : "+v"(low));  // or it is loaded for every shuffle, across two lines
      acc[0] = Bytes::dot(acc[0], V32{_mm512_permutexvar_epi8(first, low)}, w);
      acc[1] = Bytes::dot(acc[1], V32{_mm512_permutexvar_epi8(second, low)}, w);
      acc[2] = Bytes::dot(acc[2], V32{_mm512_permutexvar_epi8(third, low)}, w);
      acc[3] = Bytes::dot(acc[3], V32{_mm512_permutexvar_epi8(first, high)}, w);
    }
    LASTBIT_UNROLL
    for (int k = 0; k < 4; ++k) hn::StoreU(acc[k], d, job.out + i + 16 * k);
  }
}
#endif

void plane_products_on(const PlaneJob& job) {
#if LASTBIT_BYTES
  if (job.kind == Kind::bytes) return job.stride == 1 ? line_by_bytes(job) : job.stride == 2 ? line<Bytes, 2>(job) : line<Bytes, 1>(job);
#endif
  ensure(job.kind == Kind::words, "this instruction set multiplies int16 only");
  job.stride == 1 ? line<Words, 2>(job) : line<Words, 1>(job);
}

/// Two taps' channels shuffled into pairs; P pixels share the weights.
template <int P>
HWY_NOINLINE HWY_ATTR void across(const ChannelJob& job, std::int64_t first) {
  const D32 d;
  const hn::Repartition<std::int16_t, D32> d16;
  constexpr auto width = static_cast<std::int64_t>(2 * lanes);
  for (std::int64_t c = 0; c < job.channels; c += width) {
    V32 low[P], high[P];
    for (int p = 0; p < P; ++p) low[p] = high[p] = hn::Zero(d);
    for (std::int64_t t = 0; t < job.tap_count; t += 2) {
      const auto w0 = hn::LoadU(d16, job.w + t * job.channels + c), w1 = hn::LoadU(d16, job.w + (t + 1) * job.channels + c);
      const V32 wl = hn::BitCast(d, hn::InterleaveLower(d16, w0, w1)), wh = hn::BitCast(d, hn::InterleaveUpper(d16, w0, w1));
      for (int p = 0; p < P; ++p) {
        const std::byte* x = job.x + job.pixels[first + p] + 2 * c;
        const auto x0 = hn::LoadU(d16, reinterpret_cast<const std::int16_t*>(x + job.taps[t])), x1 = hn::LoadU(d16, reinterpret_cast<const std::int16_t*>(x + job.taps[t + 1]));
        low[p] = Words::dot(low[p], hn::BitCast(d, hn::InterleaveLower(d16, x0, x1)), wl);
        high[p] = Words::dot(high[p], hn::BitCast(d, hn::InterleaveUpper(d16, x0, x1)), wh);
      }
    }
    for (int p = 0; p < P; ++p) {  // each 16 bytes of `low` are followed by the 16 of `high`
      alignas(64) std::int32_t sums[2][lanes];
      hn::Store(low[p], d, sums[0]);
      hn::Store(high[p], d, sums[1]);
      std::int32_t* out = job.out + job.rows[first + p] * job.channels + c;
      for (std::size_t b = 0; b < lanes; b += 4) {
        std::memcpy(out + 2 * b, sums[0] + b, 16);
        std::memcpy(out + 2 * b + 4, sums[1] + b, 16);
      }
    }
  }
}

void channel_products_on(const ChannelJob& job) {
  std::int64_t i = 0;
  for (; i + 4 <= job.count; i += 4) across<4>(job, i);
  for (; i < job.count; ++i) across<1>(job, i);
}

void lay_quads_on(const QuadRow& row) {
  const D32 d;
  const hn::RebindToUnsigned<D32> du;
  const hn::Rebind<std::uint8_t, D32> d8;
  constexpr auto width = static_cast<std::int64_t>(lanes);
  const V32 zero = hn::Set(d, row.zero), flip = hn::Set(d, row.flip ? 0x80 : 0);
  const auto start_of = [&](std::int64_t position) -> const std::byte* {  // null: padding
    const std::int64_t p = position - row.before;
    return !row.x || p < 0 || p >= row.positions ? nullptr : row.x + p * row.channels;
  };
  const auto load = [&](const std::byte* x, std::int64_t c) HWY_ATTR {
    if (!x) return zero;
    const auto* at = reinterpret_cast<const std::uint8_t*>(x + c);
    if (HWY_LIKELY(row.end - (x + c) >= width)) return hn::Xor(hn::PromoteTo(d, hn::LoadU(d8, at)), flip);
    alignas(64) std::uint8_t last[width] = {};
    std::memcpy(last, at, static_cast<std::size_t>(row.end - (x + c)));
    return hn::Xor(hn::PromoteTo(d, hn::Load(d8, last)), flip);
  };
  for (std::int64_t q = 0; q < row.quads; ++q) {
    const std::int64_t back = q - row.dilation;
    const std::byte* fourth = start_of(q + 3 * row.dilation);
    std::int32_t* to = row.to + q * row.padded_channels;
    if (back >= 0) {
      const std::int32_t* before = row.to + back * row.padded_channels;
      for (std::int64_t c = 0; c < row.padded_channels; c += width)
        hn::Store(hn::Or(hn::BitCast(d, hn::ShiftRight<8>(hn::BitCast(du, hn::Load(d, before + c)))), hn::ShiftLeft<24>(load(fourth, c))), d, to + c);
    } else {
      const std::byte *first = start_of(q), *second = start_of(q + row.dilation), *third = start_of(q + 2 * row.dilation);
      for (std::int64_t c = 0; c < row.padded_channels; c += width)
        hn::Store(hn::Or(hn::Or(load(first, c), hn::ShiftLeft<8>(load(second, c))), hn::Or(hn::ShiftLeft<16>(load(third, c)), hn::ShiftLeft<24>(load(fourth, c)))), d, to + c);
    }
  }
}

#if LASTBIT_BYTES
template <int P>
HWY_INLINE void quad_tile(const QuadJob& job, std::int64_t first, std::int64_t c) {
  const D32 d;
  const V32 start = hn::LoadU(d, job.start + c);
  V32 acc[P];
  LASTBIT_UNROLL
  for (int p = 0; p < P; ++p) acc[p] = start;
  for (std::int64_t t = 0; t < job.tap_count; ++t) {
    const V32 w = hn::LoadU(d, job.w + t * job.channels + c);
    const std::int32_t* x = job.quads + job.taps[t] + first * job.step + c;
    LASTBIT_UNROLL
    for (int p = 0; p < P; ++p) acc[p] = Bytes::dot(acc[p], hn::Load(d, x + p * job.step), w);
  }
  LASTBIT_UNROLL
  for (int p = 0; p < P; ++p) hn::Store(acc[p], d, job.out + (first + p) * job.channels + c);
}
#endif

void quad_products_on(const QuadJob& job) {
#if LASTBIT_BYTES
  constexpr auto width = static_cast<std::int64_t>(lanes);
  std::int64_t i = 0;
  const auto tiles = [&]<int P>() {
    for (; i + P <= job.outputs; i += P)
      for (std::int64_t c = 0; c < job.channels; c += width) quad_tile<P>(job, i, c);
  };
  tiles.template operator()<8>();
  tiles.template operator()<4>();
  tiles.template operator()<2>();
  tiles.template operator()<1>();
#else
  ensure(job.outputs == 0, "this instruction set multiplies int16 only");
#endif
}

}  // namespace lastbit::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lastbit {

HWY_EXPORT(plane_products_on);
HWY_EXPORT(channel_products_on);
HWY_EXPORT(lay_quads_on);
HWY_EXPORT(quad_products_on);

void plane_products(const PlaneJob& job) { HWY_DYNAMIC_DISPATCH(plane_products_on)(job); }
void channel_products(const ChannelJob& job) { HWY_DYNAMIC_DISPATCH(channel_products_on)(job); }
void lay_quads(const QuadRow& row) { HWY_DYNAMIC_DISPATCH(lay_quads_on)(row); }
void quad_products(const QuadJob& job) { HWY_DYNAMIC_DISPATCH(quad_products_on)(job); }

}  // namespace lastbit
#endif
