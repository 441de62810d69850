// epilogue_compare.cpp: see epilogue_run-inl.h.
#include <algorithm>

#include "lib/kernels/epilogue_run.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/kernels/epilogue_compare.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include "lib/kernels/dot-inl.h"
#include "lib/kernels/epilogue_run-inl.h"

#undef LASTBIT_LINES  // lines of 64 bytes, packed from four vectors
#if HWY_TARGET == HWY_AVX3_DL || HWY_TARGET == HWY_AVX3
#define LASTBIT_LINES 1
#else
#define LASTBIT_LINES 0
#endif

LASTBIT_BEFORE_NAMESPACE();
namespace lastbit::HWY_NAMESPACE {

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
#if LASTBIT_LINES
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
#if LASTBIT_LINES
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
#if LASTBIT_LINES
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
#if LASTBIT_LINES
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
#if LASTBIT_LINES
      if constexpr (!Events)
        if (packs_clamp(e) && is_small(e, channels.first, count)) return compare_float32<Across, Negative, How, false, false>(q, sources, channels, running);
#endif
      compare_float32<Across, Negative, How, Events, true>(q, sources, channels, running);
    };
    if (!plain) compare_float32<Across, Negative, Way::any, Events, true>(q, sources, channels, running);
    else e.range ? by.template operator()<Way::ranged>() : by.template operator()<Way::plain>();
  };
  is_negative(e) ? with.template operator()<true>() : with.template operator()<false>();
}

void compare_runs(const EpilogueRuns& q, const Sources& sources, RunChannel channels, Running& running) {
  if (q.channels_last) return q.events ? compare<true, true>(q, sources, channels, running) : compare<true, false>(q, sources, channels, running);
  return q.events ? compare<false, true>(q, sources, channels, running) : compare<false, false>(q, sources, channels, running);
}

}  // namespace lastbit::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
