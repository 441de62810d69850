// measure.cpp: measure(), see nearness.hpp. Errors are looked at in float32, `single` at a time; where that leaves anything open (an edge of
// the histogram, a boundary, the largest error), the values are computed in float64, whose results alone are kept.
#include <algorithm>
#include <cmath>

#include "lib/kernels/nearness.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/kernels/measure.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include "lib/kernels/lanes-inl.h"
#include "lib/kernels/nearness-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lastbit::HWY_NAMESPACE {
namespace {

using M = hn::Mask<F>;
using HalfF = hn::Rebind<float, D>;
using HalfI = hn::Rebind<std::int32_t, D>;
using D64 = hn::Repartition<std::int64_t, D>;
using V64 = hn::Vec<D64>;

// What is rounded to the nearest errs by half an LSB at most: only the bins from first_bin to last_bin are counted in vectors.
constexpr int first_bin = 10, last_bin = 30, no_bin = 0xFF;

/// Counts of those bins, a byte each until there are many.
class Bins {
 public:
  static constexpr std::int64_t room = 2048;
  /// Where the next bins go: whole vectors may be written, `n` count.
  HWY_ATTR HWY_INLINE std::uint8_t* next(std::int64_t n, NearTotals& totals) {
    if (HWY_UNLIKELY(held_ + n > room)) flush(totals);
    held_ += n;
    return bins_ + held_ - n;
  }
  HWY_ATTR void finish(NearTotals& totals) {
    flush(totals);
#if HWY_TARGET == HWY_AVX3_DL
    for (int group = 0; group < 3; ++group)
      for (int level = 0; level < 4; ++level) add_up(held_bits_[group][level], group, 1 << level);
    for (int i = 0; i < 24; ++i) totals.histogram[static_cast<std::size_t>(first_bin + i)] += bits_[i];
#endif
  }

 private:
#if HWY_TARGET == HWY_AVX3_DL
  /// Bytes with one bit set, of 24 in three groups, added up bit by bit: vectors of ones, of twos, fours and eights, as full adders leave them.
  HWY_ATTR HWY_INLINE static void adder(__m512i& low, __m512i a, __m512i b, __m512i& carry) {
    carry = _mm512_ternarylogic_epi64(low, a, b, 0xE8);
    low = _mm512_ternarylogic_epi64(low, a, b, 0x96);
  }
  HWY_ATTR void add_up(__m512i bits, int group, std::int64_t weight) {
    for (int bit = 0; bit < 8; ++bit)
      bits_[8 * group + bit] += weight * std::popcount(static_cast<std::uint64_t>(_mm512_test_epi8_mask(bits, _mm512_set1_epi8(static_cast<char>(1 << bit)))));
  }
  HWY_ATTR HWY_NOINLINE void flush(NearTotals&) {
    static_assert(room % 1024 == 0 && last_bin - first_bin <= 24);
    std::memset(bins_ + held_, no_bin, static_cast<std::size_t>((held_ + 1023) / 1024 * 1024 - held_));
    for (int group = 0; group < 3; ++group) {
      alignas(64) std::uint8_t table[64] = {};  // by the low six bits: what is none of the bins has no bit
      for (int bit = 0; bit < 8; ++bit) table[first_bin + 8 * group + bit] = static_cast<std::uint8_t>(first_bin + 8 * group + bit < last_bin ? 1 << bit : 0);
      const __m512i bit_of = _mm512_load_si512(table);
      __m512i &one = held_bits_[group][0], &two = held_bits_[group][1], &four = held_bits_[group][2], &eight = held_bits_[group][3];
      for (std::int64_t from = 0; from < held_; from += 1024) {
        const auto at = [&](int i) HWY_ATTR { return _mm512_permutexvar_epi8(_mm512_loadu_si512(bins_ + from + 64 * i), bit_of); };
        __m512i twos[2], fours[2], eights[2], sixteen;
        for (int i = 0; i < 2; ++i) {
          for (int k = 0; k < 2; ++k) {
            adder(one, at(8 * i + 4 * k), at(8 * i + 4 * k + 1), twos[0]);
            adder(one, at(8 * i + 4 * k + 2), at(8 * i + 4 * k + 3), twos[1]);
            adder(two, twos[0], twos[1], fours[k]);
          }
          adder(four, fours[0], fours[1], eights[i]);
        }
        adder(eight, eights[0], eights[1], sixteen);
        add_up(sixteen, group, 16);
      }
    }
    held_ = 0;
  }

  __m512i held_bits_[3][4] = {};
  std::int64_t bits_[24] = {};
#else
  HWY_ATTR HWY_NOINLINE void flush(NearTotals& totals) {
    const hn::ScalableTag<std::uint8_t> d;
    constexpr std::int64_t bytes = HWY_LANES(std::uint8_t);
    static_assert(room / bytes <= 255 && room % bytes == 0);
    std::memset(bins_ + held_, no_bin, bytes);
    for (int bin = first_bin; bin < last_bin; ++bin) {
      auto n = hn::Zero(d);
      for (std::int64_t i = 0; i < held_; i += bytes) n = hn::Sub(n, hn::VecFromMask(d, hn::Eq(hn::LoadU(d, bins_ + i), hn::Set(d, static_cast<std::uint8_t>(bin)))));
      const hn::Repartition<std::uint64_t, decltype(d)> d64;
      totals.histogram[static_cast<std::size_t>(bin)] += static_cast<std::int64_t>(hn::GetLane(hn::SumOfLanes(d64, hn::SumsOf8(n))));
    }
    held_ = 0;
  }
#endif
  std::uint8_t bins_[room + 64];
  std::int64_t held_ = 0;
};

/// int32 sums that move to int64 before they wrap.
struct LaneSums {
  V64 lower, upper;
  HWY_ATTR LaneSums() : lower(hn::Zero(D64())), upper(hn::Zero(D64())) {}
  HWY_ATTR HWY_INLINE void take(VI& sums) {
    const hn::Half<I> half;
    lower = hn::Add(lower, hn::PromoteTo(D64(), hn::LowerHalf(half, sums)));
    upper = hn::Add(upper, hn::PromoteTo(D64(), hn::UpperHalf(half, sums)));
    sums = hn::Zero(I());
  }
  HWY_ATTR HWY_INLINE std::int64_t all() const { return hn::GetLane(hn::SumOfLanes(D64(), hn::Add(lower, upper))); }
};

/// The low bytes of lanes that hold 0 to 63 there.
HWY_ATTR HWY_INLINE void store_low_bytes(VI v, std::uint8_t* to) {
#if HWY_TARGET == HWY_AVX3_DL || HWY_TARGET == HWY_AVX3
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_cvtepi32_epi8(v.raw));
#else
  const hn::Rebind<std::uint8_t, F> bytes;
  hn::StoreU(hn::DemoteTo(bytes, hn::And(v, hn::Set(I(), 63))), bytes, to);
#endif
}

/// float64 numbers of `single` lanes.
struct Pair {
  VD lower, upper;
  HWY_ATTR HWY_INLINE Pair() {}  // NEON's vectors have constructors, which only code for that instruction set may call
  HWY_ATTR HWY_INLINE Pair(VD low, VD high) : lower(low), upper(high) {}
  HWY_ATTR HWY_INLINE VF narrow() const { return hn::Combine(F(), hn::DemoteTo(HalfF(), upper), hn::DemoteTo(HalfF(), lower)); }
};
HWY_ATTR HWY_INLINE Pair widened(VI v) {
  const hn::Half<I> half;
  return {hn::PromoteTo(D(), hn::LowerHalf(half, v)), hn::PromoteTo(D(), hn::UpperHalf(half, v))};
}
HWY_ATTR HWY_INLINE Pair all_of(double v) { return {hn::Set(D(), v), hn::Set(D(), v)}; }
HWY_ATTR HWY_INLINE Pair add(const Pair& a, const Pair& b) { return {hn::Add(a.lower, b.lower), hn::Add(a.upper, b.upper)}; }
HWY_ATTR HWY_INLINE Pair sub(const Pair& a, const Pair& b) { return {hn::Sub(a.lower, b.lower), hn::Sub(a.upper, b.upper)}; }
HWY_ATTR HWY_INLINE Pair mul(const Pair& a, const Pair& b) { return {hn::Mul(a.lower, b.lower), hn::Mul(a.upper, b.upper)}; }

constexpr float slack = 2e-7f;  // of an error's float32, where it is at most 1, and of the distance at which it is near
constexpr bool fused = HWY_NATIVE_FMA != 0;

/// What is open after a look in float32, in float64: seldom.
class Closer {
 public:
  HWY_ATTR Closer(const NearRequest& r, std::uint16_t* near, NearTotals& totals) : r_(r), near_(near), largest_(totals.largest) { raise(); }

  /// Of `single` elements the first `valid`.
  HWY_ATTR HWY_NOINLINE void close(std::int64_t at, const Pair& v, const Pair& by, VI q, std::int64_t valid, std::uint8_t* bins) {
    alignas(64) std::int32_t stored[single];
    hn::StoreU(q, I(), stored);
    half(at, v.lower, by.lower, stored, std::min(wide, valid), bins);
    if (valid > wide) half(at + wide, v.upper, by.upper, stored + wide, valid - wide, bins + wide);
    raise();
  }

  /// What is near, and nothing else.
  HWY_ATTR HWY_INLINE void add(std::int64_t at, M near) { found += note(F(), near, at, near_ + found); }

  void finish(NearTotals& totals) const {
    totals.wrong += wrong_;
    totals.largest = largest_;
    for (std::size_t b = 0; b < other_bins_.size(); ++b) totals.histogram[b] += other_bins_[b];
  }

  float large = 0;                          // errors from here on may be the largest, or wrong
  std::int64_t found = 0;

 private:
  void raise() { large = static_cast<float>(std::min(0.5, largest_) - static_cast<double>(slack)); }

  HWY_ATTR HWY_INLINE void half(std::int64_t at, VD v, VD by, const std::int32_t* stored, std::int64_t valid, std::uint8_t* bins) {
    const D d;
    const auto all = hn::FirstN(d, static_cast<std::size_t>(valid));
    const VD low = hn::Set(d, r_.low), high = hn::Set(d, r_.high), one = hn::Set(d, 1.0), q = hn::PromoteTo(d, hn::LoadU(HalfI(), stored));
    const VD error = hn::IfThenElseZero(all, hn::Sub(q, hn::Min(hn::Max(v, low), high)));
    const VD within = hn::Min(hn::Max(v, hn::Sub(low, one)), hn::Add(high, one)), whole = nearest(d, within), middle = hn::Sub(hn::Set(d, 0.5), hn::Abs(hn::Sub(within, whole)));
    found += note(d, hn::And(all, hn::Le(middle, by)), at, near_ + found);
    const auto wrong = hn::And(all, hn::And(hn::Gt(middle, hn::Set(d, r_.bound)), hn::Ne(hn::Min(hn::Max(whole, low), high), q)));
    if (HWY_UNLIKELY(!hn::AllFalse(d, wrong))) wrong_ += static_cast<std::int64_t>(hn::CountTrue(d, wrong));
    if (!hn::AllFalse(d, hn::Gt(hn::Abs(error), hn::Set(d, largest_)))) largest_ = hn::GetLane(hn::MaxOfLanes(d, hn::Abs(error)));
    // Millionths to the nearest; floor((e + 1000000.5) / 50000), which lies 1e-5 from an integer.
    const VD millionths = hn::Min(hn::Max(nearest(d, hn::Mul(error, hn::Set(d, 1e6))), hn::Set(d, -1e6)), hn::Set(d, 999999.0));
    const VD bin = hn::Mul(hn::Add(millionths, hn::Set(d, 1000000.5)), hn::Set(d, 2e-5));
    alignas(64) std::int32_t whole_bins[wide];
    hn::StoreU(hn::DemoteTo(HalfI(), bin), HalfI(), whole_bins);  // to zero: bins are positive
    for (std::int64_t i = 0; i < valid; ++i) {
      const std::int32_t b = whole_bins[i];
      bins[i] = static_cast<std::uint8_t>(b < first_bin || b >= last_bin ? (++other_bins_[static_cast<std::size_t>(b)], no_bin) : b);
    }
  }

  const NearRequest& r_;
  std::uint16_t* near_;
  double largest_;
  std::int64_t wrong_ = 0;
  std::array<std::int64_t, 40> other_bins_{};  // an error beyond half an LSB is looked at here
};

/// Constants of a look.
struct Limits {
  VF low, high, below_bin, above_bin, near;
  HWY_ATTR explicit Limits(const NearRequest& r) {
    const F f;
    const auto set = [&](double v) HWY_ATTR { return hn::Set(f, static_cast<float>(v)); };
    low = set(r.low), high = set(r.high), below_bin = set(r.low - 0.025), above_bin = set(r.high - 0.025);
    near = set(0.5 - r.doubt - static_cast<double>(slack));
  }
};

/// Where the values lie: on neither side of the range, inside.
struct Sides {
  M below, above;
};

/// Looks at `single` elements, of which the first `valid` count: q is what is stored. They are near when their values lie farther from an
/// integer than `far`, those that a clamp decides beyond the first aside; value() and by() give them and what is near in float64. `Some`: a
/// few more may be called near.
template <bool Some, class Value, class By>
HWY_ATTR HWY_INLINE void look(const Limits& c, Closer& late, std::int64_t at, VF error, const Sides& sides, VF far, VI q, VF stored, std::int64_t valid, std::uint8_t* bins, const Value& value, const By& by) {
  const F f;
  // Where a clamp decides, the error is as if in the middle of the bin that begins with 0.
  const VF kept = hn::IfThenElse(hn::Or(sides.below, sides.above), hn::Sub(stored, hn::IfThenElse(sides.below, c.below_bin, c.above_bin)), error);
  // Bins of 0.05 from -1 on, each beginning half a millionth early: their middles are the integers of `place`, which errs by 5e-6 at most.
  const VF place = hn::MulAdd(kept, hn::Set(f, 20.0f), hn::Set(f, 19.50001f)), turned = hn::Add(place, hn::Set(f, 0x1.8p23f));
  store_low_bytes(hn::BitCast(I(), turned), bins);
  const VF beyond = from_nearest(smaller_magnitude(error, hn::Set(f, 1.0f)));  // none of a value farther than 1 outside the range
  const M edge = hn::Ge(hn::Abs(from_nearest(place)), hn::Set(f, 0.499995f)), some = hn::Ge(larger_magnitude(kept, beyond), hn::Min(far, hn::Set(f, late.large)));
  if (HWY_UNLIKELY(!hn::AllFalse(f, hn::Or(edge, some)))) {
    const M near = hn::Ge(hn::Abs(beyond), far), open = hn::Or(edge, hn::Ge(hn::Abs(kept), hn::Set(f, late.large)));
    if (!hn::AllFalse(f, open) || (!Some && !hn::AllFalse(f, near))) {
      late.close(at, value(), by(), q, valid, bins);
    } else if (!hn::AllFalse(f, near)) {
      late.add(at, hn::And(near, hn::FirstN(f, static_cast<std::size_t>(valid))));
    }
  }
}

/// Counts that every look adds to.
struct Counts {
  VI stored;
  std::int64_t above = 0;
  HWY_ATTR Counts() : stored(hn::Zero(I())) {}
  /// Returns the elements inside the range.
  template <bool Whole>
  HWY_ATTR HWY_INLINE M add(const Sides& sides, VI q, std::int64_t valid) {
    const F f;
    stored = hn::Add(stored, q);
    const M outside = hn::Or(sides.below, sides.above);
    if constexpr (Whole) {
      above += static_cast<std::int64_t>(hn::CountTrue(f, sides.above));
      return hn::Not(outside);
    }
    const M all = hn::FirstN(f, static_cast<std::size_t>(valid));
    above += static_cast<std::int64_t>(hn::CountTrue(f, hn::And(sides.above, all)));
    return hn::AndNot(outside, all);
  }
};

HWY_ATTR HWY_NOINLINE std::int64_t finish(const NearRequest& r, const Closer& late, Bins& bins, Counts counts, std::int64_t inside, NearTotals& totals) {
  LaneSums stored;
  stored.take(counts.stored);
  bins.finish(totals);
  late.finish(totals);
  totals.stored += stored.all();
  totals.elements += r.n * r.runs;
  totals.above += counts.above;
  totals.below += r.n * r.runs - inside - counts.above;
  return late.found;
}

/// The numbers at p (step 1), or p[0] in all lanes (step 0), of which the first `valid` may be read.
template <int Step>
HWY_ATTR HWY_INLINE Pair numbers(const double* p, std::int64_t valid) {
  const D d;
  if constexpr (Step == 0) return all_of(p[0]);
  if (valid == single) return {hn::LoadU(d, p), hn::LoadU(d, p + wide)};
  double copy[single];
  for (std::int64_t i = 0; i < single; ++i) copy[i] = p[std::min(i, valid - 1)];
  return {hn::LoadU(d, copy), hn::LoadU(d, copy + wide)};
}
template <int Step, class T>
HWY_ATTR HWY_INLINE auto numbers32(const T* p, std::int64_t valid) {
  const hn::ScalableTag<T> d;
  if constexpr (Step == 0) return hn::Set(d, p[0]);
  if (valid == single) return hn::LoadU(d, p);
  T copy[single];
  for (std::int64_t i = 0; i < single; ++i) copy[i] = p[std::min(i, valid - 1)];
  return hn::LoadU(d, copy);
}

/// Constants of a run, or of consecutive channels. Split: the float32 parts; else float64.
template <bool Split, bool Marked, int Step>
struct RunConstants {
  VF multiplier, multiplier_rest, offset, offset_rest;
  Pair m, a;
  VI least, most;
  VF by_peak, far;
  HWY_ATTR RunConstants(const NearRequest& r, const Limits& l, std::int64_t at, std::int64_t valid)
      : least(numbers32<Step>(r.split.least + at, valid)), most(numbers32<Step>(r.split.most + at, valid)), by_peak(l.near), far(l.near) {
    if constexpr (Split) {
      multiplier = numbers32<Step>(r.split.multiplier + at, valid), multiplier_rest = numbers32<Step>(r.split.multiplier_rest + at, valid);
      offset = numbers32<Step>(r.split.offset + at, valid), offset_rest = numbers32<Step>(r.split.offset_rest + at, valid);
    } else {
      m = numbers<Step>(r.line.multiplier + at, valid), a = numbers<Step>(r.line.offset + at, valid);
    }
    if constexpr (Marked) {
      by_peak = numbers<Step>(r.margin.multiplier + at, valid).narrow();
      far = hn::Sub(hn::Set(F(), 0.5f - slack), add(all_of(r.doubt), numbers<Step>(r.margin.offset + at, valid)).narrow());
    }
  }
  /// stored - v
  HWY_ATTR HWY_INLINE VF error(VI acc, VI q, VF stored) const {
    if constexpr (Split) {
      const VF sum = hn::ConvertTo(F(), acc);
      return hn::Sub(hn::NegMulAdd(sum, multiplier, hn::Sub(stored, offset)), hn::MulAdd(sum, multiplier_rest, offset_rest));
    } else {
      return sub(widened(q), add(mul(widened(acc), m), a)).narrow();
    }
  }
};

/// Sums of one channel a run, or (Across) of a channel each, the same ones in every run.
template <class Stored, bool Marked, bool Across, bool Split>
HWY_ATTR std::int64_t measure_runs(const NearRequest& r, std::uint16_t* near, NearTotals& totals) {
  const F f;
  const I in;
  constexpr int step = Across ? 1 : 0;
  using Constants = RunConstants<Split, Marked, step>;
  Closer late(r, near, totals);
  const Limits limits(r);
  Bins bins;
  Counts counts;
  std::int64_t all_inside = 0;
  // How many int32 sums of elements inside the range may be added up.
  const std::int64_t together = std::max<std::int64_t>(1, std::int64_t{0x7FFFFFFF} / std::max<std::int64_t>(1, r.largest_inside));
  // Bins are bytes, which may be anything: what is read in every step is kept where they cannot be.
  const std::int64_t n = r.n, runs = r.runs, acc_step = r.acc_step, stored_step = r.stored_step;
  const std::int32_t *const acc_at = r.acc, *const peak_at = r.peak;
  const std::byte* const stored_at = r.stored;
  alignas(64) std::int32_t sums[single] = {}, peaks[single] = {};
  // Elements i to i + valid of run k, whose constants are those at `place`: which lie inside the range.
  const auto at = [&]<bool Whole>(const Constants& c, std::int64_t place, std::int64_t k, std::int64_t i, std::int64_t valid, VI& acc) HWY_ATTR {
    const std::int32_t *from = acc_at + k * acc_step + i, *peak = Marked ? peak_at + k * acc_step + i : nullptr;
    const std::byte* bytes = stored_at + k * stored_step + i;
    VI q;
    if constexpr (Whole) {
      q = integers<Stored>(bytes);
    } else {
      std::copy_n(from, valid, sums), from = sums;
      if (Marked) std::copy_n(peak, valid, peaks), peak = peaks;
      q = integers<Stored>(Padded(bytes, valid).bytes);
    }
    acc = hn::LoadU(in, from);
    VF far = limits.near;
    if constexpr (Marked) far = hn::NegMulAdd(hn::ConvertTo(f, hn::LoadU(in, peak)), c.by_peak, c.far);
    const VF stored = hn::ConvertTo(f, q);
    const Sides sides{hn::RebindMask(f, hn::Lt(acc, c.least)), hn::RebindMask(f, hn::Gt(acc, c.most))};
    look<true>(limits, late, k * n + i, c.error(acc, q, stored), sides, far, q, stored, valid, bins.next(valid, totals),
               [&]() HWY_ATTR { return add(mul(widened(acc), numbers<step>(r.line.multiplier + place, valid)), numbers<step>(r.line.offset + place, valid)); },
               [&]() HWY_ATTR {
                 Pair by = all_of(r.doubt);
                 if constexpr (Marked) by = add(by, numbers<step>(r.margin.offset + place, valid)), by = add(by, mul(widened(hn::LoadU(in, peak)), numbers<step>(r.margin.multiplier + place, valid)));
                 return by;
               });
    return counts.template add<Whole>(sides, q, valid);
  };
  if constexpr (Across) {
    const auto column = [&]<bool Whole>(std::int64_t i, std::int64_t valid) HWY_ATTR {
      const Constants c(r, limits, i, valid);
      VI count = hn::Zero(in);
      LaneSums large, many;
      for (std::int64_t from = 0; from < runs; from += together) {
        VI acc, sum = hn::Zero(in);
        for (std::int64_t k = from, end = std::min(runs, from + together); k < end; ++k) {
          const auto inside = hn::RebindMask(in, at.template operator()<Whole>(c, i, k, i, valid, acc));
          sum = add_where(inside, sum, acc);
          count = add_where(inside, count, hn::Set(in, 1));
        }
        large.take(sum);
      }
      many.take(count);
      std::int64_t of_lane[2][single];
      hn::StoreU(large.lower, D64(), of_lane[0]), hn::StoreU(large.upper, D64(), of_lane[0] + wide);
      hn::StoreU(many.lower, D64(), of_lane[1]), hn::StoreU(many.upper, D64(), of_lane[1] + wide);
      for (std::int64_t l = 0; l < valid; ++l) r.inside[i + l].sum += of_lane[0][l], r.inside[i + l].count += of_lane[1][l], all_inside += of_lane[1][l];
    };
    std::int64_t i = 0;
    for (; i + single <= n; i += single) column.template operator()<true>(i, single);
    if (i < n) column.template operator()<false>(i, n - i);
  } else {
    for (std::int64_t k = 0; k < runs; ++k) {
      const std::int64_t place = k * r.line.run_step;
      const Constants c(r, limits, place, 1);
      VI sum = hn::Zero(in);
      LaneSums large;
      std::int64_t count = 0, left = together;
      const auto next = [&]<bool Whole>(std::int64_t i, std::int64_t valid) HWY_ATTR {
        VI acc;
        const M inside = at.template operator()<Whole>(c, place, k, i, valid, acc);
        sum = add_where(hn::RebindMask(in, inside), sum, acc);
        count += static_cast<std::int64_t>(hn::CountTrue(f, inside));
        if (HWY_UNLIKELY(--left == 0)) large.take(sum), left = together;
      };
      std::int64_t i = 0;
      for (; i + single <= n; i += single) next.template operator()<true>(i, single);
      if (i < n) next.template operator()<false>(i, n - i);
      large.take(sum);
      r.inside[place].sum += large.all(), r.inside[place].count += count;
      all_inside += count;
    }
  }
  return finish(r, late, bins, counts, all_inside, totals);
}

/// x in whole steps, and the rest of it.
struct Parts {
  VF whole, rest;
  HWY_ATTR Parts(double x, double step) {
    const double shift = 0x1.8p52 * step, steps = (x + shift) - shift;
    whole = hn::Set(F(), static_cast<float>(steps)), rest = hn::Set(F(), static_cast<float>(x - steps));
  }
};

/// Split: in float32, from parts whose multiples and sums are exact, and rests that are added apart. Neither is fused: an error decides on which
/// side of the range its value lies.
template <class A, class B, class Stored, bool Split>
HWY_ATTR std::int64_t measure_run(const ByteSums& s, const NearRequest& r, double step, std::uint16_t* near, NearTotals& totals) {
  const F f;
  const I in;
  Closer late(r, near, totals);
  const Limits limits(r);
  Bins bins;
  Counts counts;
  VI first = hn::Zero(in), second = hn::Zero(in);
  std::int64_t inside = 0;
  const Parts a_step(s.a_step, step), b_step(s.b_step, step), offset(s.offset, step);
  const auto at = [&]<bool Whole>(std::int64_t i, std::int64_t valid) HWY_ATTR {
    VI a, b, q;
    if constexpr (Whole) a = integers<A>(s.a + i), b = integers<B>(s.b + i), q = integers<Stored>(r.stored + i);
    else a = integers<A>(Padded(s.a + i, valid).bytes), b = integers<B>(Padded(s.b + i, valid).bytes), q = integers<Stored>(Padded(r.stored + i, valid).bytes);
    const auto value = [&]() HWY_ATTR { return add(mul(widened(a), all_of(s.a_step)), add(mul(widened(b), all_of(s.b_step)), all_of(s.offset))); };
    const VF stored = hn::ConvertTo(f, q);
    VF error;
    if constexpr (Split) {
      const VF x = hn::ConvertTo(f, a), y = hn::ConvertTo(f, b);
      const VF whole = hn::Add(hn::Mul(x, a_step.whole), hn::Add(hn::Mul(y, b_step.whole), offset.whole)), rest = hn::Add(hn::Mul(x, a_step.rest), hn::Add(hn::Mul(y, b_step.rest), offset.rest));
      error = hn::Sub(hn::Sub(stored, whole), rest);
    } else {
      error = sub(widened(q), value()).narrow();
    }
    const Sides sides{hn::Gt(error, hn::Sub(stored, limits.low)), hn::Lt(error, hn::Sub(stored, limits.high))};
    look<false>(limits, late, i, error, sides, limits.near, q, stored, valid, bins.next(valid, totals), value, [&]() HWY_ATTR { return all_of(r.doubt); });
    const M those = counts.template add<Whole>(sides, q, valid);
    first = add_where(hn::RebindMask(in, those), first, a);
    second = add_where(hn::RebindMask(in, those), second, b);
    inside += static_cast<std::int64_t>(hn::CountTrue(f, those));
  };
  std::int64_t i = 0;
  for (; i + single <= r.n; i += single) at.template operator()<true>(i, single);
  if (i < r.n) at.template operator()<false>(i, r.n - i);
  LaneSums a, b;
  a.take(first), b.take(second);
  totals.first += a.all(), totals.second += b.all();
  return finish(r, late, bins, counts, inside, totals);
}

}  // namespace

HWY_ATTR std::int64_t measure_sums(const NearRequest& r, std::uint16_t* near, NearTotals& totals) {
  const auto run = [&]<class Stored, bool Marked, bool Split>() HWY_ATTR {
    return r.line.step ? measure_runs<Stored, Marked, true, Split>(r, near, totals) : measure_runs<Stored, Marked, false, Split>(r, near, totals);
  };
  const auto with = [&]<class Stored, bool Marked>() HWY_ATTR {
    if constexpr (fused)
      if (r.split.multiplier) return run.template operator()<Stored, Marked, true>();
    return run.template operator()<Stored, Marked, false>();
  };
  if (r.peak) return r.is_signed ? with.template operator()<std::int8_t, true>() : with.template operator()<std::uint8_t, true>();
  return r.is_signed ? with.template operator()<std::int8_t, false>() : with.template operator()<std::uint8_t, false>();
}

HWY_ATTR std::int64_t measure_bytes(const ByteSums& s, const NearRequest& r, std::uint16_t* near, NearTotals& totals) {
  // Steps whose multiples up to all that is added float32 holds; their rests, of half a step each, must not err by more than `slack`.
  const double most = 255 * (std::fabs(s.a_step) + std::fabs(s.b_step) + 1) + std::fabs(s.offset);
  const bool split = most <= 0x1p13;
  const double step = most <= 0x1p10 ? 0x1p-14 : 0x1p-11;
  return of_types(s.a_signed, s.b_signed, r.is_signed, [&]<class A, class B, class Stored>() HWY_ATTR {
    return split ? measure_run<A, B, Stored, true>(s, r, step, near, totals) : measure_run<A, B, Stored, false>(s, r, step, near, totals);
  });
}

}  // namespace lastbit::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lastbit {

HWY_EXPORT(measure_sums);
HWY_EXPORT(measure_bytes);

std::int64_t measure(const NearRequest& r, std::uint16_t* near, NearTotals& totals) { return HWY_DYNAMIC_DISPATCH(measure_sums)(r, near, totals); }

std::int64_t measure(const ByteSums& s, const NearRequest& r, std::uint16_t* near, NearTotals& totals) { return HWY_DYNAMIC_DISPATCH(measure_bytes)(s, r, near, totals); }

}  // namespace lastbit
#endif
