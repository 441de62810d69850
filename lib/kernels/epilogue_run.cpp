// epilogue_run.cpp: see epilogue_run.hpp. The scalar stages (lib/profile/requantize.cpp, lib/num/fixed.cpp) say what must come out.
#include "lib/kernels/epilogue_run.hpp"

#include <algorithm>
#include <bit>
#include <limits>
#include <optional>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/kernels/epilogue_run.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include "lib/kernels/dot-inl.h"
#include "lib/kernels/epilogue-inl.h"
#include "lib/kernels/epilogue_run-inl.h"

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
    if (commonest) compare_runs(q, sources, channels, running), done = true;
  } else if constexpr (!Fixed) {
    if (commonest && e.calm) done = if_small(*q.result, running, [&](Running& after) HWY_ATTR { compare_runs(q, sources, channels, after); });
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
