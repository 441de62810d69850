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
  const OfBytes& run(std::int64_t) const { return *this; }
  HWY_ATTR HWY_INLINE hn::Vec<T> at(std::int64_t i) const { return of(s.a + i, s.b + i); }
  HWY_ATTR HWY_INLINE hn::Vec<T> part(std::int64_t i, std::int64_t valid) const {
    std::byte a[32] = {}, b[32] = {};
    std::memcpy(a, s.a + i, static_cast<std::size_t>(valid)), std::memcpy(b, s.b + i, static_cast<std::size_t>(valid));
    return of(a, b);
  }
  double one(std::int64_t, std::int64_t i) const {
    const auto v = [](auto as, std::byte byte) { return static_cast<double>(static_cast<decltype(as)>(std::to_integer<std::uint8_t>(byte))); };
    return v(A{}, s.a[i]) * s.a_step + (v(B{}, s.b[i]) * s.b_step + s.offset);
  }
};

/// Constants of the elements from i of a run on: whole vectors, and the last few ones' copies.
template <bool Across>
struct Constants {
  const double *m, *a;
  Constants(const Line& line, std::int64_t run) : m(line.multiplier + run * line.run_step), a(line.offset + run * line.run_step) {}
  HWY_ATTR HWY_INLINE hn::Vec<D> line(hn::Vec<D> x, std::int64_t i) const {
    const D d;
    if constexpr (Across) return hn::Add(hn::Mul(x, hn::LoadU(d, m + i)), hn::LoadU(d, a + i));
    else return hn::Add(hn::Mul(x, hn::Set(d, m[0])), hn::Set(d, a[0]));
  }
};
HWY_ATTR HWY_INLINE hn::Vec<D> widened(const std::int32_t* p) { return hn::PromoteTo(D(), hn::LoadU(DI(), p)); }

/// Values of sums, or of bytes: v.of(run, i) for whole vectors.
template <bool Across>
struct OfSums {
  const NearRequest& r;
  struct Run {
    Constants<Across> c;
    const std::int32_t* acc;
    HWY_ATTR HWY_INLINE hn::Vec<D> at(std::int64_t i) const { return c.line(widened(acc + i), i); }
  };
  Run run(std::int64_t k) const { return {Constants<Across>(r.line, k), r.acc + k * r.acc_step}; }
  double one(std::int64_t k, std::int64_t i) const {
    const std::int64_t c = k * r.line.run_step + i * r.line.step;
    return static_cast<double>(r.acc[k * r.acc_step + i]) * r.line.multiplier[c] + r.line.offset[c];
  }
};

/// Which elements lie near a boundary, and which of the others are wrong: v clamped to one beyond the range. Seldom called.
template <class M>
HWY_ATTR HWY_NOINLINE void look(const NearRequest& r, std::int64_t at, hn::Vec<D> v, hn::Vec<D> q, hn::Vec<D> doubt, M valid, std::uint16_t* near, std::int64_t& found, std::int64_t& wrong) {
  const D d;
  const auto low = hn::Set(d, r.low), high = hn::Set(d, r.high), one = hn::Set(d, 1.0);
  const auto inside = hn::Min(hn::Max(v, hn::Sub(low, one)), hn::Add(high, one)), whole = nearest(d, inside), away = hn::Sub(hn::Set(d, 0.5), hn::Abs(hn::Sub(inside, whole)));
  found += note(d, hn::And(valid, hn::Le(away, doubt)), at, near + found);
  wrong += static_cast<std::int64_t>(hn::CountTrue(d, hn::And(valid, hn::And(hn::Gt(away, hn::Set(d, r.bound)), hn::Ne(hn::Min(hn::Max(whole, low), high), q)))));
}

/// Counts by bin; tables take turns, so that equal bins in a row do not wait for each other.
class Bins {
 public:
  static constexpr std::int64_t room = 2048;
  std::int32_t* next(std::int64_t n, NearTotals& totals) {
    if (held_ + n > room) flush(totals);
    held_ += n;
    return bins_ + held_ - n;
  }
  void flush(NearTotals& totals) {
    std::uint32_t counts[8][40] = {};
    std::int64_t i = 0;
    for (; i + 8 <= held_; i += 8)
      for (std::int64_t k = 0; k < 8; ++k) ++counts[k][bins_[i + k]];
    for (; i < held_; ++i) ++counts[0][bins_[i]];
    for (std::size_t k = 0; k < 40; ++k)
      for (const auto& table : counts) totals.histogram[k] += table[k];
    held_ = 0;
  }

 private:
  std::int32_t bins_[room + 64];  // a vector may be written past the last
  std::int64_t held_ = 0;
};

/// `Marked`: elements have margins of their own. `Across`: constants go from element to element.
template <class Stored, bool Marked, bool Across, class Values>
HWY_ATTR std::int64_t run(const NearRequest& r, const Values& values, std::uint16_t* near, NearTotals& totals) {
  const D d;
  const D32 d32;
  const D64 d64;
  const F f;
  const auto low = hn::Set(d, r.low), high = hn::Set(d, r.high), turn = hn::Set(d, 0x1.8p52), middle = hn::Set(d, 0.5), doubt = hn::Set(d, r.doubt), units = hn::Set(d, 0x1p30), millions = hn::Set(d, 1e6);
  const auto center = hn::Set(d, 0.5 * (r.low + r.high)), reach = hn::Set(d, 0.5 * (r.high - r.low) + 0.5);
  const auto all = hn::FirstN(d, static_cast<std::size_t>(wide));
  auto largest = hn::Zero(d);
  auto sum = hn::Zero(d64);
  std::int64_t found = 0, wrong = 0;
  Bins bins;
  // Returns the error in millionths, to the nearest, in the low halves of its lanes.
  const auto half = [&](std::int64_t at, hn::Vec<D> v, hn::Vec<D> q, hn::Vec<D> near_by, hn::Mask<D> valid) HWY_ATTR {
    const auto error = hn::IfThenElseZero(valid, hn::Sub(q, hn::Min(hn::Max(v, low), high))), size = hn::Abs(error);
    // An element as near as that to a boundary is as far from the stored integer, whichever it is; but where a clamp decides, at the first
    // boundary beyond.
    const auto outside = hn::Le(hn::Abs(hn::Sub(hn::Abs(hn::Sub(v, center)), reach)), doubt);
    if (HWY_UNLIKELY(!hn::AllFalse(d, hn::Or(hn::Ge(size, hn::Sub(middle, near_by)), outside)))) look(r, at, v, q, near_by, valid, near, found, wrong);
    largest = hn::Max(largest, size);
    // Integers in a float64's last bits: |error| <= 2^17.
    sum = hn::Add(sum, hn::Sub(hn::BitCast(d64, hn::Add(hn::Mul(error, units), turn)), hn::BitCast(d64, turn)));
    return hn::BitCast(d32, hn::Add(hn::Mul(error, millions), turn));
  };
  // Bins of 50000 millionths from -1000000 on: floor((e + 1000000.5) / 50000), which lies 1e-5 from an integer; half an LSB less is rounded.
  const auto put = [&](V32 lower, V32 upper, std::int64_t n) HWY_ATTR {
    const V32 e = hn::Min(hn::Max(hn::ConcatEven(d32, upper, lower), hn::Set(d32, -1000000)), hn::Set(d32, 999999));
    const auto bin = hn::Add(hn::Add(hn::Mul(hn::ConvertTo(f, e), hn::Set(f, 2e-5f)), hn::Set(f, 19.50001f)), hn::Set(f, 0x1.8p23f));
    hn::StoreU(hn::And(hn::BitCast(d32, bin), hn::Set(d32, 63)), d32, bins.next(n, totals));
  };
  const std::int64_t n = r.n;
  for (std::int64_t k = 0; k < r.runs; ++k) {
    const auto value = values.run(k);
    const std::byte* stored = r.stored + k * r.stored_step;
    const Constants<Across> margin(r.margin, Marked ? k : 0);
    const std::int32_t* peak = Marked ? r.peak + k * r.acc_step : nullptr;
    const auto near_by = [&](std::int64_t i) HWY_ATTR {
      if constexpr (Marked) return hn::Add(doubt, margin.line(widened(peak + i), i));
      else return doubt;
    };
    std::int64_t i = 0;
    for (; i + 2 * wide <= n; i += 2 * wide) {
      const V32 a = half(k * n + i, value.at(i), numbers<D, Stored>(stored + i), near_by(i), all);
      const V32 b = half(k * n + i + wide, value.at(i + wide), numbers<D, Stored>(stored + i + wide), near_by(i + wide), all);
      put(a, b, 2 * wide);
    }
    for (; i < n; i += wide) {  // the last ones, one by one in the first lane
      const std::int64_t valid = std::min(wide, n - i);
      double v[16] = {}, q[16] = {}, by[16] = {};
      for (std::int64_t e = 0; e < valid; ++e) {
        v[e] = values.one(k, i + e);
        q[e] = static_cast<double>(static_cast<Stored>(std::to_integer<std::uint8_t>(stored[i + e])));
        by[e] = r.doubt;
        if constexpr (Marked) {
          const std::int64_t c = k * r.margin.run_step + (i + e) * r.margin.step;
          by[e] += static_cast<double>(peak[i + e]) * r.margin.multiplier[c] + r.margin.offset[c];
        }
      }
      const V32 a = half(k * n + i, hn::LoadU(d, v), hn::LoadU(d, q), hn::LoadU(d, by), hn::FirstN(d, static_cast<std::size_t>(valid)));
      put(a, a, valid);
    }
  }
  bins.flush(totals);
  double sizes[16];
  std::int64_t sums[16];
  hn::StoreU(largest, d, sizes);
  hn::StoreU(sum, d64, sums);
  for (std::int64_t k = 0; k < wide; ++k) totals.largest = std::max(totals.largest, sizes[k]), totals.sum += sums[k];
  totals.elements += n * r.runs;
  totals.wrong += wrong;
  return found;
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
  const auto with = [&]<class Stored, bool Marked>() HWY_ATTR {
    return r.line.step ? run<Stored, Marked, true>(r, OfSums<true>{r}, near, totals) : run<Stored, Marked, false>(r, OfSums<false>{r}, near, totals);
  };
  if (r.peak) return r.is_signed ? with.template operator()<I8, true>() : with.template operator()<U8, true>();
  return r.is_signed ? with.template operator()<I8, false>() : with.template operator()<U8, false>();
}

HWY_ATTR std::int64_t measure_bytes(const ByteSums& s, const NearRequest& r, std::uint16_t* near, NearTotals& totals) {
  return of_types(s.a_signed, s.b_signed, r.is_signed, [&]<class A, class B, class Stored>() { return run<Stored, false, false>(r, OfBytes<D, A, B>{s}, near, totals); });
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
