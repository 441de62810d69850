// pair_block.cpp: see pair_block.hpp.
#include "lib/kernels/pair_block.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/kernels/pair_block.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include "lib/kernels/dot-inl.h"

LASTBIT_BEFORE_NAMESPACE();
namespace lastbit::HWY_NAMESPACE {

/// Products fit 16 bits: so do the saturated sum, the wrapping one, and how far they are apart, which is added by twos with a 1 and a 0.
HWY_ATTR void narrow_block(const std::int16_t* raw, const PairTerm* terms, std::int64_t count, std::int32_t* sums) {
  const D32 d;
  const hn::Repartition<std::int16_t, D32> d16;
  constexpr auto n = static_cast<std::int64_t>(lanes);
  const V32 first = hn::Set(d, 1), second = hn::Set(d, 1 << 16);
  for (std::int64_t i = 0; i < pair_positions; i += 2 * n) {
    V32 even = hn::Zero(d), odd = hn::Zero(d);
    for (std::int64_t t = 0; t < count; ++t) {
      const auto a = hn::Mul(hn::LoadU(d16, raw + terms[t].first * pair_positions + i), hn::Set(d16, static_cast<std::int16_t>(terms[t].w0)));
      const auto b = hn::Mul(hn::LoadU(d16, raw + terms[t].second * pair_positions + i), hn::Set(d16, static_cast<std::int16_t>(terms[t].w1)));
      const V32 beyond = hn::BitCast(d, hn::Sub(hn::SaturatedAdd(a, b), hn::Add(a, b)));
      even = Words::dot(even, beyond, first);
      odd = Words::dot(odd, beyond, second);
    }
    std::int32_t evens[lanes], odds[lanes];
    hn::StoreU(even, d, evens), hn::StoreU(odd, d, odds);
    for (std::int64_t k = 0; k < n; ++k) sums[i + 2 * k] += evens[k], sums[i + 2 * k + 1] += odds[k];
  }
}

void pair_block_on(const std::int16_t* raw, const PairTerm* terms, std::int64_t count, bool narrow, std::int32_t* sums) {
  if (narrow) return narrow_block(raw, terms, count, sums);
  const D32 d;
  const hn::Rebind<std::int16_t, D32> d16;
  constexpr auto n = static_cast<std::int64_t>(lanes);
  const V32 low = hn::Set(d, -32768), high = hn::Set(d, 32767);
  for (std::int64_t i = 0; i < pair_positions; i += n) {
    V32 sum = hn::LoadU(d, sums + i);
    for (std::int64_t t = 0; t < count; ++t) {
      // A pair of terms side by side is one dot of Words.
      const V32 a = hn::PromoteTo(d, hn::LoadU(d16, raw + terms[t].first * pair_positions + i)), b = hn::PromoteTo(d, hn::LoadU(d16, raw + terms[t].second * pair_positions + i));
      const V32 x = hn::Or(hn::And(a, hn::Set(d, 0xFFFF)), hn::ShiftLeft<16>(b));
      const auto w = (static_cast<std::uint32_t>(terms[t].w0) & 0xFFFF) | static_cast<std::uint32_t>(terms[t].w1) << 16;
      const V32 p = Words::dot(hn::Zero(d), x, hn::Set(d, static_cast<std::int32_t>(w)));
      sum = hn::Add(sum, hn::Sub(hn::Min(hn::Max(p, low), high), p));
    }
    hn::StoreU(sum, d, sums + i);
  }
}

}  // namespace lastbit::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lastbit {

HWY_EXPORT(pair_block_on);

void pair_block(const std::int16_t* raw, const PairTerm* terms, std::int64_t count, bool narrow, std::int32_t* sums) { HWY_DYNAMIC_DISPATCH(pair_block_on)(raw, terms, count, narrow, sums); }

}  // namespace lastbit
#endif
