// epilogue_planes.cpp: see epilogue_planes.hpp. With AVX-512; elsewhere sums are turned before they are looked at.
#include "lib/kernels/epilogue_planes.hpp"

#include <algorithm>
#include <bit>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/kernels/epilogue_planes.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include "lib/kernels/epilogue-inl.h"

LASTBIT_BEFORE_NAMESPACE();
namespace lastbit::HWY_NAMESPACE {

#if HWY_TARGET == HWY_AVX3_DL || HWY_TARGET == HWY_AVX3

/// Sixteen channels by 64 positions at a time. Four positions are packed into one vector, whose dwords then are a channel's four bytes; sixteen such
/// vectors, turned, are a line of 64 positions for each channel. Both additions to words saturate: what leaves int16 leaves the byte, too.
template <bool Negative, Way How, bool Events, bool Clamped>
HWY_ATTR void compare_planes(const EpilogueRuns& q, const Sources& sources, std::int64_t channel, Running& running) {
  constexpr std::int64_t width = 16, line = 64;
  const Epilogue& e = *q.e;
  const Float32<How, Events> value(e);
  V32 least = running.low, most = running.high, tied = hn::Zero(D32()), cut = tied;
  const __m512i zero_point = _mm512_set1_epi16(static_cast<std::int16_t>(e.zero_point));
  const __m512i by_channel = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
  alignas(64) std::int32_t by_position[width * width], by_plane[width * width];
  const std::size_t before = q.result->differ.size();
  for (std::int64_t next = 0; next < q.runs; next += width) {
    const std::int64_t first = std::min(next, q.runs - width), skip = next - first;  // the last channels overlap
    const Constants c = sources.at<false, true>(channel + first);
    for (std::int64_t from = 0; from < q.length; from += line) {
      const std::int64_t count = std::min(line, q.length - from);
      for (std::int64_t p = 0; p < count; p += 4) {
        const std::int32_t* acc = q.acc + (from + p) * q.acc_step + first;
        V32 y[4];
        if (skip == 0 && p + 4 <= count) value.template of_four<Clamped>([&](int) HWY_ATTR -> const Constants& { return c; }, q.acc_step, acc, y, least, most, tied, cut);
        else
          for (std::int64_t k = 0; k < 4; ++k) y[k] = p + k < count ? value.template of<false>(c, acc + k * q.acc_step, skip, least, most, tied, cut) : y[0];
        const __m512i a = _mm512_adds_epi16(_mm512_packs_epi32(y[0].raw, y[1].raw), zero_point), b = _mm512_adds_epi16(_mm512_packs_epi32(y[2].raw, y[3].raw), zero_point);
        _mm512_store_si512(by_position + p / 4 * width, _mm512_shuffle_epi8(Negative ? _mm512_packs_epi16(a, b) : _mm512_packus_epi16(a, b), by_channel));
      }
      transpose_dwords16x16(by_position, width, by_plane, width);
      const __mmask64 wanted = ~std::uint64_t{0} >> (line - count);
      for (std::int64_t k = skip; k < width; ++k) {
        const std::int64_t element = q.first + (first + k) * q.step + from;
        note_line(*q.result, element, _mm512_mask_cmpneq_epi8_mask(wanted, _mm512_load_si512(by_plane + k * width), _mm512_maskz_loadu_epi8(wanted, q.observed + element)));
      }
    }
  }
  std::sort(q.result->differ.begin() + static_cast<std::ptrdiff_t>(before), q.result->differ.end());
  running = {least, most};
  if constexpr (Events) add_counts(*q.result, tied, cut);
}

template <bool Events>
HWY_ATTR bool compare(const EpilogueRuns& q, std::int64_t channel) {
  const D32 d;
  const Epilogue& e = *q.e;
  EpilogueResult& r = *q.result;
  const Sources sources(e);
  Running running{hn::Set(d, r.acc_min), hn::Set(d, r.acc_max)};
  const auto compare_all = [&](Running& after) HWY_ATTR {
    const auto with = [&]<bool Negative, Way How>() HWY_ATTR {
      if constexpr (!Events)
        if (packs_clamp(e) && is_small(e, channel, q.runs)) return compare_planes<Negative, How, false, false>(q, sources, channel, after);
      compare_planes<Negative, How, Events, true>(q, sources, channel, after);
    };
    if (e.range) is_negative(e) ? with.template operator()<true, Way::ranged>() : with.template operator()<false, Way::ranged>();
    else is_negative(e) ? with.template operator()<true, Way::plain>() : with.template operator()<false, Way::plain>();
  };
  if constexpr (!Events) compare_all(running);
  else if (!if_small(r, running, compare_all)) return false;
  r.acc_min = hn::GetLane(hn::MinOfLanes(d, running.low));
  r.acc_max = hn::GetLane(hn::MaxOfLanes(d, running.high));
  return true;
}

bool epilogue_planes_on(const EpilogueRuns& q) {
  const Epilogue& e = *q.e;
  const std::int64_t channel = q.first / q.positions % q.channels;
  if (e.path != Epilogue::Path::float32 || !q.observed || q.stored || (q.events && !e.calm) || q.runs < 16 || !is_plain(e, channel, q.runs)) return false;
  return q.events ? compare<true>(q, channel) : compare<false>(q, channel);
}

#else

bool epilogue_planes_on(const EpilogueRuns&) { return false; }

#endif

}  // namespace lastbit::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lastbit {

HWY_EXPORT(epilogue_planes_on);

bool epilogue_planes(const EpilogueRuns& q) { return HWY_DYNAMIC_DISPATCH(epilogue_planes_on)(q); }

}  // namespace lastbit
#endif
