// epilogue_run.cpp: see epilogue_run.hpp. The scalar stages (lib/profile/requantize.cpp, lib/num/fixed.cpp) say what must come out.
#include "lib/kernels/epilogue_run.hpp"

#include <algorithm>
#include <bit>
#include <limits>
#include <optional>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/kernels/epilogue_run.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include "lib/kernels/dot-inl.h"
#include "lib/kernels/epilogue-inl.h"

LASTBIT_BEFORE_NAMESPACE();
namespace lastbit::HWY_NAMESPACE {

struct Seen {
  M32 tie, clamped, saturated, wrapped, inexact;
};

HWY_INLINE M32 nothing() { return hn::MaskFromVec(hn::Zero(D32())); }

/// clamp(rne(((f32(v) + addend) * multiplier))), without the zero point.
template <bool Events>
HWY_INLINE V32 by_float32(const Epilogue& e, const Constants& c, V32 v, V32 low, V32 high, Seen& seen) {
  const D32 d;
  const DF df;
  const VF limit = hn::Set(df, 2147483648.0f), flow = hn::ConvertTo(df, low), fhigh = hn::ConvertTo(df, high);
  const VF f = hn::ConvertTo(df, v);
  VF x = f;
  if (!e.addend.empty()) x = hn::Add(x, c.addend);
  x = hn::Mul(x, c.multiplier);
  if constexpr (Events) {
    const auto inexact = hn::Or(hn::VecFromMask(d, hn::Ne(hn::ConvertTo(d, f), v)), hn::BitCast(d, hn::VecFromMask(df, hn::Ge(f, limit))));
    seen.inexact = hn::MaskFromVec(inexact);
    const auto outside = hn::Or(hn::Lt(x, flow), hn::Gt(x, fhigh));
    VF inside = x;
    if (e.range) inside = hn::Min(hn::Max(x, flow), fhigh);
    const auto too_big = hn::Or(hn::Ge(inside, limit), hn::Lt(inside, hn::Neg(limit)));
    const VF size = hn::Abs(inside);
    const auto half = hn::AndNot(too_big, hn::Eq(hn::Sub(size, hn::Floor(size)), hn::Set(df, 0.5f)));  // exact: size >= 0
    seen.tie = hn::RebindMask(d, half);
    seen.saturated = hn::RebindMask(d, too_big);
    if (e.range) seen.clamped = hn::RebindMask(d, outside);
    else {
      const VF one = hn::Set(df, 1.0f);
      const V32 rounded = nearest(hn::Min(hn::Max(x, hn::Sub(flow, one)), hn::Add(fhigh, one)));
      seen.clamped = hn::Or(hn::Or(hn::Lt(rounded, low), hn::Gt(rounded, high)), seen.saturated);
    }
  }
  if (!e.range) x = hn::IfThenElse(hn::Ge(x, limit), flow, x);  // cvtps2dq makes INT32_MIN of it
  return nearest(hn::Min(hn::Max(x, flow), fhigh));      // bounds are integers: clamping first changes nothing
}

/// One half-up rounding of v * m / 2^n, two lanes' worth; clamped, in int64.
template <bool Events>
HWY_INLINE V64 single(V64 product, V64 n, V64 low, V64 high, V64& tie, V64& clamped) {
  const D64 d;
  const V64 one = hn::Set(d, 1);
  const V64 above = hn::Shr(product, hn::Sub(n, one));     // one bit more than the result has
  const V64 y = hn::Add(hn::Shr(above, one), hn::And(above, one));
  if constexpr (Events) {
    const V64 cut = hn::Sub(product, hn::Shl(above, hn::Sub(n, one)));
    tie = hn::VecFromMask(d, hn::And(hn::Eq(cut, hn::Zero(d)), hn::Eq(hn::And(above, one), one)));
    clamped = hn::VecFromMask(d, hn::Or(hn::Lt(y, low), hn::Gt(y, high)));
  }
  return hn::Min(hn::Max(y, low), high);
}

/// Even lanes of a and odd lanes of b, seen as dwords: low halves.
HWY_INLINE V32 low_halves(V64 even, V64 odd) {
  const D32 d;
  return hn::OddEven(hn::BitCast(d, hn::ShiftLeft<32>(odd)), hn::BitCast(d, even));
}

template <bool Events>
HWY_INLINE V32 by_fixed(FixedRule rule, const Constants& c, V32 v, V32 low, V32 high, Seen& seen) {
  const D32 d;
  const D64 d64;
  const V32 one = hn::Set(d, 1);
  const auto odd = [&](V32 a) HWY_ATTR { return hn::BitCast(d, hn::ShiftRight<32>(hn::BitCast(U64(), a))); };
  if (rule == FixedRule::single) {
    const V64 even_low = hn::Set(d64, hn::GetLane(low)), even_high = hn::Set(d64, hn::GetLane(high));
    V64 te = hn::Zero(d64), to = te, ce = te, co = te;
    const V64 a = single<Events>(hn::MulEven(v, c.mantissa), c.single_even, even_low, even_high, te, ce);
    const V64 b = single<Events>(hn::MulEven(odd(v), odd(c.mantissa)), c.single_odd, even_low, even_high, to, co);
    if constexpr (Events) {
      seen.tie = hn::MaskFromVec(low_halves(te, to));
      seen.clamped = hn::MaskFromVec(low_halves(ce, co));
      seen.wrapped = nothing();
    }
    return low_halves(a, b);
  }
  V32 x = hn::Shl(v, c.left);
  const auto overflow = hn::Ne(hn::Shr(x, c.left), v);
  if (rule == FixedRule::double_away_saturating) {
    const V32 most = hn::IfThenElse(hn::Lt(v, hn::Zero(d)), hn::Set(d, std::numeric_limits<std::int32_t>::min()), hn::Set(d, std::numeric_limits<std::int32_t>::max()));
    x = hn::IfThenElse(overflow, most, x);
  }
  V64 pe = hn::MulEven(x, c.mantissa), po = hn::MulEven(odd(x), odd(c.mantissa));
  const bool floors = rule == FixedRule::floor_up;
  if (!floors) {
    const V64 half = hn::Set(d64, std::int64_t{1} << 30);
    pe = hn::Add(pe, half);
    po = hn::Add(po, half);
  }
  const V32 upper = hn::OddEven(hn::BitCast(d, hn::ShiftLeft<1>(hn::BitCast(U64(), po))), hn::BitCast(d, hn::ShiftRight<31>(hn::BitCast(U64(), pe))));
  const V32 mask = hn::Sub(hn::Shl(one, c.right), one), rest = hn::And(upper, mask), middle = hn::ShiftRight<1>(mask);
  V32 y;
  if (rule == FixedRule::double_away || rule == FixedRule::double_away_saturating) {
    const V32 threshold = hn::Sub(middle, hn::VecFromMask(d, hn::Lt(upper, hn::Zero(d))));   // a mask is -1
    y = hn::Sub(hn::Shr(upper, c.right), hn::VecFromMask(d, hn::Gt(rest, threshold)));
  } else {
    y = hn::Sub(hn::Shr(upper, c.right), hn::VecFromMask(d, hn::Gt(rest, middle)));           // half up
  }
  if constexpr (Events) {
    seen.wrapped = overflow;
    const auto second = hn::Eq(rest, hn::Add(middle, one));
    const auto first = hn::Eq(hn::And(low_halves(pe, po), hn::Set(d, 0x7FFFFFFF)), hn::Zero(d));
    seen.tie = floors ? second : hn::Or(first, second);
    seen.clamped = hn::Or(hn::Lt(y, low), hn::Gt(y, high));
  }
  return hn::Min(hn::Max(y, low), high);
}

/// `lanes` sums from acc; of them the ones from `skip` on are new.
template <bool Fixed, bool Events>
HWY_INLINE void vector(const EpilogueRuns& q, FixedRule rule, const Constants& c, const std::int32_t* acc, std::int64_t element, const std::byte* observed, std::byte* stored, std::int64_t skip, std::int64_t valid, Running& running) {
  const D32 d;
  const Epilogue& e = *q.e;
  EpilogueResult& r = *q.result;
  const V32 low = hn::Set(d, e.min - e.zero_point), high = hn::Set(d, e.max - e.zero_point);
  const V32 a = hn::LoadU(d, acc), v = hn::Add(a, c.bias);
  Seen seen{};
  V32 y;
  if constexpr (Fixed) y = by_fixed<Events>(rule, c, v, low, high, seen);
  else y = by_float32<Events>(e, c, v, low, high, seen);
  y = hn::Add(y, hn::Set(d, e.zero_point));
  running.low = hn::Min(running.low, v);
  running.high = hn::Max(running.high, v);
  const bool part = skip > 0 || valid < static_cast<std::int64_t>(lanes);
  const V32 lane = hn::Iota(d, 0);
  const auto chosen = [&](M32 m) HWY_ATTR {
    return part ? hn::And(m, hn::And(hn::Gt(lane, hn::Set(d, static_cast<std::int32_t>(skip - 1))), hn::Lt(lane, hn::Set(d, static_cast<std::int32_t>(valid))))) : m;
  };
  const bool negative = is_negative(e);
  const hn::Rebind<std::uint8_t, D32> du8;
  const hn::Rebind<std::int8_t, D32> di8;
  if (stored) {
    if (negative) hn::StoreU(hn::DemoteTo(di8, y), di8, reinterpret_cast<std::int8_t*>(stored));
    else hn::StoreU(hn::DemoteTo(du8, y), du8, reinterpret_cast<std::uint8_t*>(stored));
  }
  if (observed) {
    const V32 was = negative ? hn::PromoteTo(d, hn::LoadU(di8, reinterpret_cast<const std::int8_t*>(observed))) : hn::PromoteTo(d, hn::LoadU(du8, reinterpret_cast<const std::uint8_t*>(observed)));
    const auto differ = hn::Ne(was, y);
    if (HWY_UNLIKELY(!hn::AllFalse(d, differ))) {
      std::uint8_t bits[8] = {};
      hn::StoreMaskBits(d, chosen(differ), bits);
      for (std::size_t i = 0; i < lanes; ++i)
        if (bits[i / 8] >> (i % 8) & 1) r.differ.push_back(element + static_cast<std::int64_t>(i));
    }
  }
  if constexpr (Events) {
    const auto count = [&](M32 m) HWY_ATTR { return static_cast<std::int64_t>(hn::CountTrue(d, chosen(m))); };
    const auto wrapped = hn::Lt(hn::And(hn::Xor(a, v), hn::Xor(c.bias, v)), hn::Zero(d));
    r.tie += count(seen.tie);
    r.clamped += count(seen.clamped);
    if constexpr (Fixed) r.wrapped += count(hn::Or(wrapped, seen.wrapped));
    else {
      r.wrapped += count(wrapped);
      r.saturated += count(seen.saturated);
      r.inexact_float += count(seen.inexact);
    }
  }
}

constexpr std::int64_t ahead = 8;  // runs lie far apart: the next ones are asked for early

HWY_INLINE void ask_for(const EpilogueRuns& q, std::int64_t run) {
  if (!q.observed || run >= q.runs) return;
  const std::byte* at = q.observed + q.first + run * q.step;
  for (std::int64_t i = 0; i < q.length; i += 64) hwy::Prefetch(at + i);
}

/// Channel of a run's first sum.
struct RunChannel {
  std::int64_t first;
  bool still, ascending;  // the same for every run; one more each
  template <bool Across>
  static RunChannel of(const EpilogueRuns& q) {
    const std::int64_t first = Across ? q.first % q.channels : q.first / q.positions % q.channels;
    const bool inside = !Across && q.first % q.positions + (q.runs - 1) * q.step + q.length <= q.positions;
    return {first, Across ? q.step % q.channels == 0 : inside, !Across && q.step == q.positions && first + q.runs <= q.channels};
  }
  template <bool Across>
  HWY_INLINE std::int64_t at(const EpilogueRuns& q, std::int64_t run) const {
    if (still) return first;
    if (ascending) return first + run;
    const std::int64_t element = q.first + run * q.step;
    return Across ? element % q.channels : element / q.positions % q.channels;
  }
};

/// The commonest case: float32, nothing to be stored, at least a vector of sums a run. A run's last vector overlaps the one before. Events: ties and
/// clamps are counted; of a calm epilogue there are no others. Clamped: false where packing to bytes does it.
template <bool Across, bool Negative, Way How, bool Events, bool Clamped>
HWY_NOINLINE HWY_ATTR void compare_float32(const EpilogueRuns& q, const Sources& sources, RunChannel channels, Running& running) {
  constexpr auto n = static_cast<std::int64_t>(lanes);
  const D32 d;
  const Epilogue& e = *q.e;
  const V32 zero_point = hn::Set(d, e.zero_point), zero = hn::Zero(d);
  const Float32<How, Events> value(e);
  V32 least = running.low, most = running.high, tied = zero, cut = zero;
  /// 0 in the lanes that agree.
  const auto difference = [&]<bool Whole>(const Constants& c, const std::int32_t* acc, const std::byte* observed, std::int64_t skip) HWY_ATTR {
    const V32 y = hn::Add(value.template of<Whole>(c, acc, skip, least, most, tied, cut), zero_point);
    if constexpr (Negative) {
      const hn::Rebind<std::int8_t, D32> d8;
      return hn::Xor(hn::PromoteTo(d, hn::LoadU(d8, reinterpret_cast<const std::int8_t*>(observed))), y);
    } else {
      const hn::Rebind<std::uint8_t, D32> d8;
      return hn::Xor(hn::PromoteTo(d, hn::LoadU(d8, reinterpret_cast<const std::uint8_t*>(observed))), y);
    }
  };
#if HWY_TARGET == HWY_AVX3_DL || HWY_TARGET == HWY_AVX3
  /// 64 values against a line of bytes. Both additions to words saturate: what leaves int16 leaves the byte, too.
  const auto compare_line = [&](const V32 (&y)[4], std::int64_t element) HWY_ATTR {
    const __m512i z = _mm512_set1_epi16(static_cast<std::int16_t>(e.zero_point));
    const __m512i first = _mm512_adds_epi16(_mm512_packs_epi32(y[0].raw, y[1].raw), z), second = _mm512_adds_epi16(_mm512_packs_epi32(y[2].raw, y[3].raw), z);
    const __m512i packed = Negative ? _mm512_packs_epi16(first, second) : _mm512_packus_epi16(first, second);
    const __m512i turns = _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);  // packs leave dwords of the four vectors by turns
    note_line(*q.result, element, _mm512_cmpneq_epi8_mask(_mm512_permutexvar_epi32(turns, packed), _mm512_loadu_si512(q.observed + element)));
  };
#endif
  const auto note = [&](V32 a, std::int64_t element, std::int64_t skip) HWY_ATTR {
    std::uint8_t bits[8] = {};
    hn::StoreMaskBits(d, hn::Ne(a, zero), bits);
    for (std::int64_t k = skip; k < n; ++k)
      if (bits[k / 8] >> (k % 8) & 1) q.result->differ.push_back(element + k);
  };
  if (Across && channels.still) {  // every run of the same channels: strips of them, their constants read once
    const std::size_t before = q.result->differ.size();
    std::int64_t done = 0;  // runs
#if HWY_TARGET == HWY_AVX3_DL || HWY_TARGET == HWY_AVX3
    if (q.length == 2 * n && q.step == q.length && q.acc_step == q.length) {  // 32 channels: two positions are a line
      const Constants c[2] = {sources.at<false, true>(channels.first), sources.at<false, true>(channels.first + n)};
      for (; done + 2 <= q.runs; done += 2) {
        V32 y[4];
        value.template of_four<Clamped>([&](int k) HWY_ATTR -> const Constants& { return c[k & 1]; }, n, q.acc + done * q.acc_step, y, least, most, tied, cut);
        compare_line(y, q.first + done * q.step);
      }
    }
#endif
    const auto strip = [&]<std::int64_t V, bool Whole>(std::int64_t i, std::int64_t skip) HWY_ATTR {
      Constants c[V];
      LASTBIT_UNROLL
      for (std::int64_t k = 0; k < V; ++k) c[k] = sources.at<false, true>(channels.first + i + k * n);
      for (std::int64_t run = done; run < q.runs; ++run) {
        const std::int64_t element = q.first + run * q.step + i;
        const std::byte* observed = q.observed + element;
        const std::int32_t* acc = q.acc + run * q.acc_step + i;
        if (run + ahead < q.runs) hwy::Prefetch(observed + ahead * q.step);
#if HWY_TARGET == HWY_AVX3_DL || HWY_TARGET == HWY_AVX3
        if constexpr (V == 4) {
          V32 y[V];
          value.template of_four<Clamped>([&](int k) HWY_ATTR -> const Constants& { return c[k]; }, n, acc, y, least, most, tied, cut);
          compare_line(y, element);
          continue;
        }
#endif
        V32 a[V], any = zero;
        LASTBIT_UNROLL
        for (std::int64_t k = 0; k < V; ++k) {
          a[k] = difference.template operator()<Whole>(c[k], acc + k * n, observed + k * n, skip);
          any = hn::Or(any, a[k]);
        }
        if (HWY_UNLIKELY(!hn::AllTrue(d, hn::Eq(any, zero))))
          for (std::int64_t k = 0; k < V; ++k) note(a[k], element + k * n, skip);
      }
    };
    std::int64_t i = 0;
    for (; i + 4 * n <= q.length; i += 4 * n) strip.template operator()<4, true>(i, 0);
    if (i + 2 * n <= q.length) strip.template operator()<2, true>(i, 0), i += 2 * n;
    for (; i < q.length; i += n) {
      const std::int64_t at = std::min(i, q.length - n);
      strip.template operator()<1, false>(at, i - at);
    }
    std::sort(q.result->differ.begin() + static_cast<std::ptrdiff_t>(before), q.result->differ.end());
  } else {
    for (std::int64_t run = 0; run < q.runs; ++run) {
      ask_for(q, run + ahead);
      const std::int64_t element = q.first + run * q.step, channel = channels.at<Across>(q, run);
      const std::byte* observed = q.observed + element;
      const std::int32_t* acc = q.acc + run * q.acc_step;
      Constants c = sources.at<false, Across>(channel);
      const auto at = [&]<bool Whole>(std::int64_t i, std::int64_t skip) HWY_ATTR {
        if constexpr (Across) c = sources.at<false, true>(channel + i);
        return difference.template operator()<Whole>(c, acc + i, observed + i, skip);
      };
      std::int64_t i = 0;
#if HWY_TARGET == HWY_AVX3_DL || HWY_TARGET == HWY_AVX3
      for (; i + 4 * n <= q.length; i += 4 * n) {
        V32 y[4];
        if constexpr (Across) value.template of_four<Clamped>([&](int k) HWY_ATTR { return sources.at<false, true>(channel + i + k * n); }, n, acc + i, y, least, most, tied, cut);
        else value.template of_four<Clamped>([&](int) HWY_ATTR -> const Constants& { return c; }, n, acc + i, y, least, most, tied, cut);
        compare_line(y, element + i);
      }
#endif
      for (; i + 2 * n <= q.length; i += 2 * n) {
        const V32 a = at.template operator()<true>(i, 0), b = at.template operator()<true>(i + n, 0);
        if (HWY_UNLIKELY(!hn::AllTrue(d, hn::Eq(hn::Or(a, b), zero)))) note(a, element + i, 0), note(b, element + i + n, 0);
      }
      for (; i < q.length; i += n) {
        const std::int64_t from = std::min(i, q.length - n);
        const V32 a = at.template operator()<false>(from, i - from);
        if (HWY_UNLIKELY(!hn::AllTrue(d, hn::Eq(a, zero)))) note(a, element + from, i - from);
      }
    }
  }
  running = {least, most};
  if constexpr (Events) add_counts(*q.result, tied, cut);
}

template <bool Across, bool Events>
HWY_ATTR void compare(const EpilogueRuns& q, const Sources& sources, RunChannel channels, Running& running) {
  const Epilogue& e = *q.e;
  const std::int64_t count = !channels.still ? q.runs : Across ? q.length : 1;  // of channels, where they follow each other
  const bool known = channels.still || channels.ascending, plain = known && is_plain(e, channels.first, count);
  const auto with = [&]<bool Negative>() HWY_ATTR {
    const auto by = [&]<Way How>() HWY_ATTR {
      if constexpr (!Events)
        if (packs_clamp(e) && is_small(e, channels.first, count)) return compare_float32<Across, Negative, How, false, false>(q, sources, channels, running);
      compare_float32<Across, Negative, How, Events, true>(q, sources, channels, running);
    };
    if (!plain) compare_float32<Across, Negative, Way::any, Events, true>(q, sources, channels, running);
    else e.range ? by.template operator()<Way::ranged>() : by.template operator()<Way::plain>();
  };
  is_negative(e) ? with.template operator()<true>() : with.template operator()<false>();
}

/// Consecutive sums under one rule. The last vector overlaps the one before; fewer sums than a vector go through buffers.
template <bool Fixed, bool Across, bool Events>
HWY_NOINLINE HWY_ATTR void run(const EpilogueRuns& q, const Sources& whole, FixedRule rule, const std::int32_t* acc, std::int64_t element, std::int64_t channel, std::int64_t length, std::byte* stored, Running& running) {
  constexpr auto n = static_cast<std::int64_t>(lanes);
  const std::byte* observed = q.observed ? q.observed + element : nullptr;
  const Sources* sources = &whole;
  alignas(64) std::int32_t sums[lanes], constants[3][lanes];
  alignas(64) float floats[2][lanes];
  alignas(64) std::byte bytes[2][lanes];
  std::optional<Sources> copied;
  std::byte* out = stored;
  if (length < n) {
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t at = std::min(i, length - 1);  // the last sum again: minimum and maximum stay true
      sums[i] = acc[at];
      bytes[0][i] = observed ? observed[at] : std::byte{0};
    }
    acc = sums;
    if (observed) observed = bytes[0];
    if (out) out = bytes[1];
    if constexpr (Across) {
      sources = &copied.emplace(whole);
      copied->bias.buffer(constants[0], channel, length);
      copied->mantissa.buffer(constants[1], channel, length);
      copied->shift.buffer(constants[2], channel, length);
      copied->addend.buffer(floats[0], channel, length);
      copied->multiplier.buffer(floats[1], channel, length);
    }
  }
  Constants c = sources->at<Fixed, Across>(channel);
  for (std::int64_t i = 0; i < length;) {
    const std::int64_t at = length < n ? 0 : std::min(i, length - n);
    if constexpr (Across) c = sources->at<Fixed, true>(channel + at);
    vector<Fixed, Events>(q, rule, c, acc + at, element + at, observed ? observed + at : nullptr, out ? out + at : nullptr, i - at, std::min(length, n), running);
    i = at + n;
  }
  if (length < n && stored) std::copy_n(bytes[1], length, stored);
}

template <bool Fixed, bool Across, bool Events>
HWY_ATTR void runs(const EpilogueRuns& q) {
  const D32 d;
  const Epilogue& e = *q.e;
  const Sources sources(e);
  Running running{hn::Set(d, q.result->acc_min), hn::Set(d, q.result->acc_max)};
  const RunChannel channels = RunChannel::of<Across>(q);
  const bool commonest = !Fixed && q.observed && !q.stored && q.length >= static_cast<std::int64_t>(lanes);
  bool done = false;
  if constexpr (!Fixed && !Events) {
    if (commonest) compare<Across, false>(q, sources, channels, running), done = true;
  } else if constexpr (!Fixed) {
    if (commonest && e.calm) done = if_small(*q.result, running, [&](Running& after) HWY_ATTR { compare<Across, true>(q, sources, channels, after); });
  }
  if (!done) {
    for (std::int64_t k = 0; k < q.runs; ++k) {
      ask_for(q, k + ahead);
      const std::int64_t element = q.first + k * q.step, channel = channels.at<Across>(q, k);
      const std::int32_t* acc = q.acc + k * q.acc_step;
      std::byte* stored = q.stored ? q.stored + k * q.acc_step : nullptr;
      if constexpr (!Across) {
        run<Fixed, false, Events>(q, sources, channel < e.tail_from ? e.rule : e.tail, acc, element, channel, q.length, stored, running);
      } else {
        const std::int64_t body = e.rule == e.tail ? q.length : std::clamp<std::int64_t>(e.tail_from - channel, 0, q.length);
        if (body > 0) run<Fixed, true, Events>(q, sources, e.rule, acc, element, channel, body, stored, running);
        if (body < q.length) run<Fixed, true, Events>(q, sources, e.tail, acc + body, element + body, channel + body, q.length - body, stored ? stored + body : nullptr, running);
      }
    }
  }
  q.result->acc_min = hn::GetLane(hn::MinOfLanes(d, running.low));
  q.result->acc_max = hn::GetLane(hn::MaxOfLanes(d, running.high));
}

void epilogue_runs_on(const EpilogueRuns& q) {
  const bool fixed = q.e->path == Epilogue::Path::fixed;
  if (q.channels_last) {
    if (q.events) return fixed ? runs<true, true, true>(q) : runs<false, true, true>(q);
    return fixed ? runs<true, true, false>(q) : runs<false, true, false>(q);
  }
  if (q.events) return fixed ? runs<true, false, true>(q) : runs<false, false, true>(q);
  return fixed ? runs<true, false, false>(q) : runs<false, false, false>(q);
}

}  // namespace lastbit::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lastbit {

HWY_EXPORT(epilogue_runs_on);

void epilogue_runs(const EpilogueRuns& q) { HWY_DYNAMIC_DISPATCH(epilogue_runs_on)(q); }

}  // namespace lastbit
#endif
