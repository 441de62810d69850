// nearness.cpp: see nearness.hpp.
#include "lib/kernels/nearness.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/kernels/nearness.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace lastbit::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<double>;
using F = hn::ScalableTag<float>;
using DI = hn::Rebind<std::int32_t, D>;
using D32 = hn::Repartition<std::int32_t, D>;
using D64 = hn::Repartition<std::int64_t, D>;
using V32 = hn::Vec<D32>;
constexpr std::int64_t wide = HWY_LANES(double), single = HWY_LANES(float);

/// v to the nearest integer, ties to even: |v| < 2^51 (2^22).
template <class T, class V>
HWY_ATTR HWY_INLINE V nearest(T d, V v) {
  const V shift = hn::Set(d, static_cast<hn::TFromD<T>>(sizeof(hn::TFromD<T>) == 8 ? 0x1.8p52 : 0x1.8p23));
  return hn::Sub(hn::Add(v, shift), shift);
}

/// The set lanes of a mask, counted from `from`.
template <class M, class T>
HWY_ATTR HWY_INLINE std::int64_t note(T d, M mask, std::int64_t from, std::uint16_t* near) {
  if (HWY_LIKELY(hn::AllFalse(d, mask))) return 0;
  std::uint8_t bytes[8] = {};
  hn::StoreMaskBits(d, mask, bytes);
  std::uint64_t bits = 0;
  std::memcpy(&bits, bytes, 8);
  std::int64_t n = 0;
  for (; bits; bits &= bits - 1) near[n++] = static_cast<std::uint16_t>(from + std::countr_zero(bits));
  return n;
}

/// Sums' values: of a vector's lower (upper) half of int32 lanes, from element i of a run on.
struct OfSums {
  const NearRequest& r;
  const double *m, *a;
  const std::int32_t* acc;
  explicit OfSums(const NearRequest& request) : r(request), m(r.line.multiplier), a(r.line.offset), acc(r.acc) {}
  void run(std::int64_t k) { acc = r.acc + k * r.acc_step, m = r.line.multiplier + k * r.line.run_step, a = r.line.offset + k * r.line.run_step; }
  HWY_ATTR HWY_INLINE hn::Vec<D> at(std::int64_t i) const {
    const D d;
    const auto multiplier = r.line.step ? hn::LoadU(d, m + i) : hn::Set(d, m[0]), offset = r.line.step ? hn::LoadU(d, a + i) : hn::Set(d, a[0]);
    return hn::Add(hn::Mul(hn::PromoteTo(d, hn::LoadU(DI(), acc + i)), multiplier), offset);
  }
  /// Lanes beyond `valid` are anything.
  HWY_ATTR HWY_INLINE hn::Vec<D> part(std::int64_t i, std::int64_t valid) const {
    std::int32_t sums[16] = {};
    double ms[16] = {}, as[16] = {};
    for (std::int64_t k = 0; k < valid; ++k) sums[k] = acc[i + k], ms[k] = m[r.line.step * (i + k)], as[k] = a[r.line.step * (i + k)];
    const D d;
    return hn::Add(hn::Mul(hn::PromoteTo(d, hn::LoadU(DI(), sums)), hn::LoadU(d, ms)), hn::LoadU(d, as));
  }
};

/// As many bytes as T has lanes, as numbers.
template <class T, class Stored>
HWY_ATTR HWY_INLINE hn::Vec<T> numbers(const std::byte* at) {
  const hn::Rebind<std::int32_t, T> integers;
  const auto q = hn::PromoteTo(integers, hn::LoadU(hn::Rebind<Stored, T>(), reinterpret_cast<const Stored*>(at)));
  if constexpr (sizeof(hn::TFromD<T>) == 8) return hn::PromoteTo(T(), q);
  else return hn::ConvertTo(T(), q);
}

/// The same for sums of two bytes, in T.
template <class T, class A, class B>
struct OfBytes {
  const ByteSums& s;
  HWY_ATTR HWY_INLINE hn::Vec<T> of(const std::byte* a, const std::byte* b) const {
    const auto set = [](double v) HWY_ATTR { return hn::Set(T(), static_cast<hn::TFromD<T>>(v)); };
    return hn::Add(hn::Mul(numbers<T, A>(a), set(s.a_step)), hn::Add(hn::Mul(numbers<T, B>(b), set(s.b_step)), set(s.offset)));
  }
  void run(std::int64_t) {}
  HWY_ATTR HWY_INLINE hn::Vec<T> at(std::int64_t i) const { return of(s.a + i, s.b + i); }
  HWY_ATTR HWY_INLINE hn::Vec<T> part(std::int64_t i, std::int64_t valid) const {
    std::byte a[32] = {}, b[32] = {};
    std::memcpy(a, s.a + i, static_cast<std::size_t>(valid)), std::memcpy(b, s.b + i, static_cast<std::size_t>(valid));
    return of(a, b);
  }
};

/// Of runs: what changes from vector to vector, and what does not. `Marked`: elements have margins of their own.
template <class Stored, bool Marked>
class Measure {
 public:
  HWY_ATTR Measure(const NearRequest& r, std::uint16_t* near, std::uint8_t* bins) : r_(r), near_(near), bins_(bins), largest_(hn::Zero(D())), sum_(hn::Zero(D64())) {}

  /// The elements from i of run k on that a vector of int32 holds; `lower` and `upper`: their values.
  HWY_ATTR HWY_INLINE void whole(std::int64_t k, std::int64_t i, hn::Vec<D> lower, hn::Vec<D> upper, const std::byte* stored) {
    const D d;
    const D32 d32;
    const auto all = hn::FirstN(d, static_cast<std::size_t>(wide));
    const auto a = half(k * r_.n + i, lower, numbers<D, Stored>(stored), doubt(k, i), all), b = half(k * r_.n + i + wide, upper, numbers<D, Stored>(stored + wide), doubt(k, i + wide), all);
    put_bins(hn::ConcatEven(d32, hn::BitCast(d32, b), hn::BitCast(d32, a)), 2 * wide);
  }
  HWY_ATTR void part(std::int64_t k, std::int64_t i, std::int64_t valid, hn::Vec<D> v, const std::byte* stored) {
    const D32 d32;
    std::byte bytes[32] = {};
    std::memcpy(bytes, stored, static_cast<std::size_t>(valid));
    const auto a = hn::BitCast(d32, half(k * r_.n + i, v, numbers<D, Stored>(bytes), doubt_of(k, i, valid), hn::FirstN(D(), static_cast<std::size_t>(valid))));
    put_bins(hn::ConcatEven(d32, a, a), valid);
  }
  HWY_ATTR std::int64_t finish(NearTotals& totals) const {
    double largest[16];
    std::int64_t sum[16];
    hn::StoreU(largest_, D(), largest);
    hn::StoreU(sum_, D64(), sum);
    for (std::int64_t k = 0; k < wide; ++k) totals.largest = std::max(totals.largest, largest[k]), totals.sum += sum[k];
    totals.elements += count_;
    totals.wrong += wrong_;
    return found_;
  }

 private:
  /// How near a boundary the elements from i of run k on are looked at.
  HWY_ATTR HWY_INLINE hn::Vec<D> doubt(std::int64_t k, std::int64_t i) const {
    const D d;
    if constexpr (!Marked) return hn::Set(d, r_.doubt);
    const Line& line = r_.margin;
    const double *m = line.multiplier + k * line.run_step, *a = line.offset + k * line.run_step;
    return widened(r_.peak + k * r_.acc_step + i, line.step ? hn::LoadU(d, m + i) : hn::Set(d, m[0]), line.step ? hn::LoadU(d, a + i) : hn::Set(d, a[0]));
  }
  HWY_ATTR hn::Vec<D> doubt_of(std::int64_t k, std::int64_t i, std::int64_t valid) const {
    const D d;
    if constexpr (!Marked) return hn::Set(d, r_.doubt);
    const Line& line = r_.margin;
    std::int32_t peak[16] = {};
    double m[16] = {}, a[16] = {};
    for (std::int64_t e = 0; e < valid; ++e) {
      const std::int64_t at = k * line.run_step + line.step * (i + e);
      peak[e] = r_.peak[k * r_.acc_step + i + e], m[e] = line.multiplier[at], a[e] = line.offset[at];
    }
    return widened(peak, hn::LoadU(d, m), hn::LoadU(d, a));
  }
  HWY_ATTR HWY_INLINE hn::Vec<D> widened(const std::int32_t* peak, hn::Vec<D> m, hn::Vec<D> a) const {
    const D d;
    return hn::Add(hn::Set(d, r_.doubt), hn::Add(hn::Mul(hn::PromoteTo(d, hn::LoadU(DI(), peak)), m), a));
  }
  /// Returns the error in millionths, to the nearest, in the low halves of its lanes.
  HWY_ATTR HWY_INLINE hn::Vec<D> half(std::int64_t at, hn::Vec<D> v, hn::Vec<D> q, hn::Vec<D> doubt, hn::Mask<D> valid) {
    const D d;
    const D64 d64;
    const auto low = hn::Set(d, r_.low), high = hn::Set(d, r_.high), turn = hn::Set(d, 0x1.8p52), middle = hn::Set(d, 0.5);
    const auto error = hn::IfThenElseZero(valid, hn::Sub(q, hn::Min(hn::Max(v, low), high))), size = hn::Abs(error);
    // An element as near as that to a boundary is as far from the stored integer, whichever it is; but where a clamp decides, at the first
    // boundary beyond.
    const auto beyond = hn::Sub(hn::Abs(hn::Sub(v, hn::Set(d, 0.5 * (r_.low + r_.high)))), hn::Set(d, 0.5 * (r_.high - r_.low) + 0.5));
    const auto outside = hn::Le(hn::Abs(beyond), hn::Set(d, r_.doubt));
    const auto close = hn::Or(hn::Ge(size, hn::Sub(middle, doubt)), outside);
    if (HWY_UNLIKELY(!hn::AllFalse(d, close))) look(at, v, q, doubt, valid);
    largest_ = hn::Max(largest_, size);
    // Integers in a float64's last bits: |error| <= 2^17.
    const auto units = hn::BitCast(d64, hn::Add(hn::Mul(error, hn::Set(d, 0x1p30)), turn));
    sum_ = hn::Add(sum_, hn::Sub(units, hn::BitCast(d64, turn)));
    return hn::Add(hn::Mul(error, hn::Set(d, 1e6)), turn);
  }
  HWY_ATTR HWY_NOINLINE void look(std::int64_t at, hn::Vec<D> v, hn::Vec<D> q, hn::Vec<D> doubt, hn::Mask<D> valid) {
    const D d;
    const auto low = hn::Set(d, r_.low), high = hn::Set(d, r_.high), one = hn::Set(d, 1.0);
    const auto inside = hn::Min(hn::Max(v, hn::Sub(low, one)), hn::Add(high, one)), whole = nearest(d, inside), away = hn::Sub(hn::Set(d, 0.5), hn::Abs(hn::Sub(inside, whole)));
    found_ += note(d, hn::And(valid, hn::Le(away, doubt)), at, near_ + found_);
    wrong_ += static_cast<std::int64_t>(hn::CountTrue(d, hn::And(valid, hn::And(hn::Gt(away, hn::Set(d, r_.bound)), hn::Ne(hn::Min(hn::Max(whole, low), high), q)))));
  }
  /// Bins of 50000 millionths from -1000000 on. (e + 0.5) * 2e-5 lies 1e-5 from an integer, and errs by less.
  HWY_ATTR HWY_INLINE void put_bins(V32 millionths, std::int64_t n) {
    const D32 d32;
    const F f;
    const auto e = hn::Min(hn::Max(hn::Add(millionths, hn::Set(d32, 1000000)), hn::Zero(d32)), hn::Set(d32, 1999999));
    const auto bin = hn::ConvertTo(d32, hn::Mul(hn::Add(hn::ConvertTo(f, e), hn::Set(f, 0.5f)), hn::Set(f, 2e-5f)));
    const hn::Rebind<std::uint8_t, D32> bytes;
    hn::StoreU(hn::DemoteTo(bytes, bin), bytes, bins_ + count_);
    count_ += n;
  }

  const NearRequest& r_;
  std::uint16_t* near_;
  std::uint8_t* bins_;
  hn::Vec<D> largest_;
  hn::Vec<D64> sum_;
  std::int64_t wrong_ = 0, found_ = 0, count_ = 0;
};

template <class Stored, bool Marked, class Values>
HWY_ATTR std::int64_t run(const NearRequest& r, Values values, std::uint16_t* near, NearTotals& totals) {
  thread_local std::uint8_t bins[near_together + 64];
  Measure<Stored, Marked> measured(r, near, bins);
  for (std::int64_t k = 0; k < r.runs; ++k) {
    values.run(k);
    const std::byte* stored = r.stored + k * r.stored_step;
    std::int64_t i = 0;
    for (; i + 2 * wide <= r.n; i += 2 * wide) measured.whole(k, i, values.at(i), values.at(i + wide), stored + i);
    for (; i < r.n; i += wide) {
      const std::int64_t valid = std::min(wide, r.n - i);
      measured.part(k, i, valid, values.part(i, valid), stored + i);
    }
  }
  const std::int64_t n = r.n * r.runs;
  std::uint32_t counts[4][40] = {};
  std::int64_t i = 0;
  for (; i + 4 <= n; i += 4)
    for (std::int64_t k = 0; k < 4; ++k) ++counts[k][bins[i + k]];
  for (; i < n; ++i) ++counts[0][bins[i]];
  for (std::size_t k = 0; k < 40; ++k) totals.histogram[k] += std::int64_t{counts[0][k]} + counts[1][k] + counts[2][k] + counts[3][k];
  return measured.finish(totals);
}

template <class A, class B, class Stored>
HWY_ATTR std::int64_t compare_bytes(const ByteSums& sums, const NearRequest& r, std::uint16_t* near, ByteSumTotals& totals) {
  const F f;
  const OfBytes<F, A, B> values{sums};
  const auto low = hn::Set(f, static_cast<float>(r.low)), high = hn::Set(f, static_cast<float>(r.high)), doubt = hn::Set(f, static_cast<float>(r.doubt));
  std::int64_t found = 0;
  std::size_t clamped = 0;
  auto differ = hn::Zero(f);
  const auto look = [&](hn::Vec<F> v, const std::byte* stored, std::int64_t from, hn::Mask<F> valid) HWY_ATTR {
    const auto whole = nearest(f, v), inside = hn::Min(hn::Max(whole, low), high);
    const auto close = hn::And(valid, hn::Le(hn::Sub(hn::Set(f, 0.5f), hn::Abs(hn::Sub(v, whole))), doubt)), far = hn::AndNot(close, valid);
    differ = hn::Or(differ, hn::IfThenElseZero(far, hn::Sub(inside, numbers<F, Stored>(stored))));
    clamped += hn::CountTrue(f, hn::And(far, hn::Ne(whole, inside)));
    found += note(f, close, from, near + found);
  };
  const auto all = hn::FirstN(f, static_cast<std::size_t>(single));
  std::int64_t i = 0;
  for (; i + single <= r.n; i += single) look(values.at(i), r.stored + i, i, all);
  if (i < r.n) {
    std::byte stored[32] = {};
    std::memcpy(stored, r.stored + i, static_cast<std::size_t>(r.n - i));
    look(values.part(i, r.n - i), stored, i, hn::FirstN(f, static_cast<std::size_t>(r.n - i)));
  }
  totals.differ |= !hn::AllTrue(f, hn::Eq(differ, hn::Zero(f)));
  totals.clamped += static_cast<std::int64_t>(clamped);
  return found;
}

using I8 = std::int8_t;
using U8 = std::uint8_t;

/// f.operator()<A, B, Stored>() for the types of three tensors' bytes.
template <class G>
HWY_ATTR std::int64_t of_types(bool a, bool b, bool stored, const G& f) {
  const auto third = [&]<class A, class B>() { return stored ? f.template operator()<A, B, I8>() : f.template operator()<A, B, U8>(); };
  const auto second = [&]<class A>() { return b ? third.template operator()<A, I8>() : third.template operator()<A, U8>(); };
  return a ? second.template operator()<I8>() : second.template operator()<U8>();
}

}  // namespace

HWY_ATTR std::int64_t measure_sums(const NearRequest& r, std::uint16_t* near, NearTotals& totals) {
  if (r.peak) return r.is_signed ? run<I8, true>(r, OfSums(r), near, totals) : run<U8, true>(r, OfSums(r), near, totals);
  return r.is_signed ? run<I8, false>(r, OfSums(r), near, totals) : run<U8, false>(r, OfSums(r), near, totals);
}

HWY_ATTR std::int64_t measure_bytes(const ByteSums& s, const NearRequest& r, std::uint16_t* near, NearTotals& totals) {
  return of_types(s.a_signed, s.b_signed, r.is_signed, [&]<class A, class B, class Stored>() { return run<Stored, false>(r, OfBytes<D, A, B>{s}, near, totals); });
}

HWY_ATTR std::int64_t compare_sums(const ByteSums& s, const NearRequest& r, std::uint16_t* near, ByteSumTotals& totals) {
  return of_types(s.a_signed, s.b_signed, r.is_signed, [&]<class A, class B, class Stored>() { return compare_bytes<A, B, Stored>(s, r, near, totals); });
}

HWY_ATTR std::int64_t find_near(const std::int32_t* acc, std::int64_t n, const float* multiplier, const float* offset, int step, float doubt, std::uint16_t* near) {
  const F f;
  const hn::RebindToSigned<F> integers;
  std::int64_t found = 0;
  const auto look = [&](const std::int32_t* sums, const float* m, const float* a, std::int64_t from, std::int64_t valid) HWY_ATTR {
    const auto v = hn::Add(hn::Mul(hn::ConvertTo(f, hn::LoadU(integers, sums)), step ? hn::LoadU(f, m) : hn::Set(f, m[0])), step ? hn::LoadU(f, a) : hn::Set(f, a[0]));
    const auto away = hn::Sub(hn::Set(f, 0.5f), hn::Abs(hn::Sub(v, nearest(f, v))));
    found += note(f, hn::And(hn::FirstN(f, static_cast<std::size_t>(valid)), hn::Le(away, hn::Set(f, doubt))), from, near + found);
  };
  std::int64_t i = 0;
  for (; i + single <= n; i += single) look(acc + i, multiplier + step * i, offset + step * i, i, single);
  if (i < n) {
    std::int32_t sums[32] = {};
    float m[32] = {}, a[32] = {};
    for (std::int64_t k = 0; i + k < n; ++k) sums[k] = acc[i + k], m[k] = multiplier[step * (i + k)], a[k] = offset[step * (i + k)];
    look(sums, m, a, i, n - i);
  }
  return found;
}

}  // namespace lastbit::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lastbit {

HWY_EXPORT(measure_sums);
HWY_EXPORT(measure_bytes);
HWY_EXPORT(compare_sums);
HWY_EXPORT(find_near);

std::int64_t measure(const NearRequest& r, std::uint16_t* near, NearTotals& totals) { return HWY_DYNAMIC_DISPATCH(measure_sums)(r, near, totals); }

std::int64_t measure(const ByteSums& s, const NearRequest& r, std::uint16_t* near, NearTotals& totals) { return HWY_DYNAMIC_DISPATCH(measure_bytes)(s, r, near, totals); }

std::int64_t compare(const ByteSums& s, const NearRequest& r, std::uint16_t* near, ByteSumTotals& totals) { return HWY_DYNAMIC_DISPATCH(compare_sums)(s, r, near, totals); }

std::int64_t find_near(const std::int32_t* acc, std::int64_t n, const float* multiplier, const float* offset, int step, float doubt, std::uint16_t* near) {
  return HWY_DYNAMIC_DISPATCH(find_near)(acc, n, multiplier, offset, step, doubt, near);
}

}  // namespace lastbit
#endif
