// row_dots.cpp: see row_dots.hpp.
#include "lib/kernels/row_dots.hpp"

#include <algorithm>
#include <cstring>

#include "lib/kernels/layout.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/kernels/row_dots.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include "lib/kernels/dot-inl.h"

LASTBIT_BEFORE_NAMESPACE();
namespace lastbit::HWY_NAMESPACE {

constexpr std::int64_t at_once = 4;  // channels

/// `lanes` dwords of weights from p as the kind wants them. `Zero`: a zero point other than 0 is taken off.
template <class W, bool Zero>
struct WordWeights {
  static HWY_INLINE V32 load(const std::byte* p, V32 zero) {
    const hn::Repartition<std::int16_t, D32> d16;
    auto v = hn::Zero(d16);
    if constexpr (sizeof(W) == 2) v = hn::LoadU(d16, reinterpret_cast<const std::int16_t*>(p));
    else v = hn::PromoteTo(d16, hn::LoadU(hn::Rebind<W, decltype(d16)>(), reinterpret_cast<const W*>(p)));
    if constexpr (Zero) v = hn::Sub(v, hn::BitCast(d16, zero));
    return hn::BitCast(D32(), v);
  }
  static constexpr std::int64_t step = static_cast<std::int64_t>(2 * lanes * sizeof(W));  // bytes
  using K = Words;
  static constexpr bool sums = false;
};
#if LASTBIT_BYTES
struct ByteWeights {
  static HWY_INLINE V32 load(const std::byte* p, V32 flip) { return hn::Xor(lastbit::HWY_NAMESPACE::load(p), flip); }
  static constexpr std::int64_t step = static_cast<std::int64_t>(4 * lanes);
  using K = Bytes;
  static constexpr bool sums = true;
};
#endif

template <class T, int R>
HWY_NOINLINE HWY_ATTR void dots(const RowsJob& job, std::int64_t row, std::int64_t channel) {
  const D32 d;
  constexpr auto vector = static_cast<std::int64_t>(4 * lanes);
  const std::int64_t term_bytes = T::step / (T::K::per * static_cast<std::int64_t>(lanes)), whole = job.terms * term_bytes / T::step, rest = job.terms * term_bytes - whole * T::step;
  const std::int64_t count = std::min(at_once, job.channels - channel);
  const std::byte* w[at_once];
  V32 zero[at_once], acc[R * at_once], sum[at_once];
  for (std::int64_t o = 0; o < at_once; ++o) {
    const std::int64_t c = channel + std::min(o, count - 1);  // a last ragged group repeats its last channel
    w[o] = job.w + c * job.w_stride;
    if constexpr (T::sums) zero[o] = hn::Set(d, is_signed(job.w_dtype) ? 0 : static_cast<std::int32_t>(0x80808080u));
    else {
      const auto z = static_cast<std::uint32_t>(job.w_zero[c]) & 0xFFFF;
      zero[o] = hn::Set(d, static_cast<std::int32_t>(z << 16 | z));
    }
    sum[o] = hn::Zero(d);
    for (int r = 0; r < R; ++r) acc[r * at_once + o] = hn::Zero(d);
  }
  const std::byte* x = job.x + row * job.x_stride;
  // A processor foresees no access beyond a page, which a row may just fill: the next channels' weights are asked for. Into the second cache:
  // rows a page apart would crowd each other out of the first.
  const std::int64_t ahead = std::min<std::int64_t>(at_once * job.w_stride, 1 << 16);
  const auto step = [&](const std::byte* const (&p)[at_once], std::int64_t k) HWY_ATTR {
    V32 weight[at_once];
    for (std::int64_t o = 0; o < at_once; ++o) {
      weight[o] = T::load(p[o], zero[o]);
      if constexpr (T::sums) sum[o] = T::K::dot(sum[o], hn::Set(d, 0x01010101), weight[o]);
    }
    for (int r = 0; r < R; ++r) {
      const V32 v = load(x + r * job.x_stride + k * vector);
      for (std::int64_t o = 0; o < at_once; ++o) acc[r * at_once + o] = T::K::dot(acc[r * at_once + o], v, weight[o]);
    }
  };
  const auto at = [&](std::int64_t o, std::int64_t k) HWY_ATTR { return w[o] + k * T::step; };
  constexpr auto a_line = std::max<std::int64_t>(1, 64 / T::step);
  std::int64_t k = 0;
  for (; k + a_line <= whole; k += a_line) {
    if (row == 0)
      for (std::int64_t o = 0; o < at_once; ++o) __builtin_prefetch(at(o, k) + ahead, 0, 2);
#pragma GCC unroll 4
    for (std::int64_t i = 0; i < a_line; ++i) step({at(0, k + i), at(1, k + i), at(2, k + i), at(3, k + i)}, k + i);
  }
  for (; k < whole; ++k) step({at(0, k), at(1, k), at(2, k), at(3, k)}, k);
  if (rest > 0) {
    alignas(64) std::byte last[at_once][T::step];
    const std::byte* p[at_once];
    for (std::int64_t o = 0; o < at_once; ++o) {  // beyond the row: what counts as 0 in sum w; x is 0 there
      std::memset(last[o], T::sums && !is_signed(job.w_dtype) ? 0x80 : 0, sizeof(last[o]));
      std::memcpy(last[o], w[o] + whole * T::step, static_cast<std::size_t>(rest));
      p[o] = last[o];
    }
    step(p, whole);
  }
  for (std::int64_t o = 0; o < count; ++o) {
    for (int r = 0; r < R; ++r) job.out[(row + r) * job.channels + channel + o] += hn::GetLane(hn::SumOfLanes(d, acc[r * at_once + o]));
    if constexpr (T::sums)
      if (row == 0) job.w_sum[channel + o] += hn::GetLane(hn::SumOfLanes(d, sum[o]));
  }
}

template <class T>
HWY_ATTR void all_dots(const RowsJob& job) {
  for (std::int64_t channel = 0; channel < job.channels; channel += at_once)
    for (std::int64_t row = 0; row < job.rows;) {
      const std::int64_t left = job.rows - row, take = left > 4 && left < 8 ? (left + 1) / 2 : std::min<std::int64_t>(left, 4);
      switch (take) {
        case 1: dots<T, 1>(job, row, channel); break;
        case 2: dots<T, 2>(job, row, channel); break;
        case 3: dots<T, 3>(job, row, channel); break;
        default: dots<T, 4>(job, row, channel); break;
      }
      row += take;
    }
}

void rows_on(const RowsJob& job) {
#if LASTBIT_BYTES
  if (job.kind == Kind::bytes) return all_dots<ByteWeights>(job);
#endif
  const bool zero = std::any_of(job.w_zero, job.w_zero + job.channels, [](std::int32_t z) { return z != 0; });
  if (stored_bytes(job.w_dtype) == 2) zero ? all_dots<WordWeights<std::int16_t, true>>(job) : all_dots<WordWeights<std::int16_t, false>>(job);
  else if (is_signed(job.w_dtype)) zero ? all_dots<WordWeights<std::int8_t, true>>(job) : all_dots<WordWeights<std::int8_t, false>>(job);
  else all_dots<WordWeights<std::uint8_t, true>>(job);
}

}  // namespace lastbit::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lastbit {

HWY_EXPORT(rows_on);

void row_dots(const RowsJob& job) { HWY_DYNAMIC_DISPATCH(rows_on)(job); }

}  // namespace lastbit
#endif
