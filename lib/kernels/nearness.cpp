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

/// What changes from vector to vector of a run.
struct Running {
  hn::Vec<D> largest, sum;
  std::int64_t wrong = 0, near = 0;
};

/// The values of sums from `from` on: of a whole vector, or of the last few as `tail` holds them.
struct OfSums {
  const NearRequest& r;
  HWY_ATTR HWY_INLINE hn::Vec<D> at(const std::int32_t* acc, const double* m, const double* a) const {
    const D d;
    const auto multiplier = r.line.step ? hn::LoadU(d, m) : hn::Set(d, m[0]), offset = r.line.step ? hn::LoadU(d, a) : hn::Set(d, a[0]);
    return hn::Add(hn::Mul(hn::PromoteTo(d, hn::LoadU(DI(), acc)), multiplier), offset);
  }
  HWY_ATTR HWY_INLINE hn::Vec<D> whole(std::int64_t i) const { return at(r.acc + i, r.line.multiplier + r.line.step * i, r.line.offset + r.line.step * i); }
  HWY_ATTR HWY_INLINE hn::Vec<D> tail(std::int64_t i) const {
    std::int32_t acc[16] = {};
    double m[16] = {}, a[16] = {};
    for (std::int64_t k = 0; i + k < r.n; ++k) acc[k] = r.acc[i + k], m[k] = r.line.multiplier[r.line.step * (i + k)], a[k] = r.line.offset[r.line.step * (i + k)];
    return at(acc, m, a);
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
  std::int64_t n;
  HWY_ATTR HWY_INLINE hn::Vec<T> at(const std::byte* a, const std::byte* b) const {
    const auto set = [](double v) HWY_ATTR { return hn::Set(T(), static_cast<hn::TFromD<T>>(v)); };
    return hn::Add(hn::Mul(numbers<T, A>(a), set(s.a_step)), hn::Add(hn::Mul(numbers<T, B>(b), set(s.b_step)), set(s.offset)));
  }
  HWY_ATTR HWY_INLINE hn::Vec<T> whole(std::int64_t i) const { return at(s.a + i, s.b + i); }
  HWY_ATTR HWY_INLINE hn::Vec<T> tail(std::int64_t i) const {
    std::byte a[32] = {}, b[32] = {};
    std::memcpy(a, s.a + i, static_cast<std::size_t>(n - i)), std::memcpy(b, s.b + i, static_cast<std::size_t>(n - i));
    return at(a, b);
  }
};

template <class Stored>
HWY_ATTR HWY_INLINE void step(const NearRequest& r, hn::Vec<D> v, const std::byte* stored, std::int64_t from, hn::Mask<D> valid, std::uint16_t* near, std::int32_t* bins, Running& t) {
  const D d;
  const DI integers;
  const auto low = hn::Set(d, r.low), high = hn::Set(d, r.high);
  const auto q = numbers<D, Stored>(stored);
  const auto whole = nearest(d, v);
  const auto away = hn::Sub(hn::Set(d, 0.5), hn::Abs(hn::Sub(v, whole)));
  const auto error = hn::Sub(q, hn::Min(hn::Max(v, low), high));
  const auto expected = hn::Min(hn::Max(whole, low), high);
  t.near += note(d, hn::And(valid, hn::Le(away, hn::Set(d, r.doubt))), from, near + t.near);
  t.wrong += static_cast<std::int64_t>(hn::CountTrue(d, hn::And(valid, hn::And(hn::Gt(away, hn::Set(d, r.bound)), hn::Ne(expected, q)))));
  t.largest = hn::Max(t.largest, hn::IfThenElseZero(valid, hn::Abs(error)));
  t.sum = hn::Add(t.sum, hn::IfThenElseZero(valid, nearest(d, hn::Mul(error, hn::Set(d, 0x1p30)))));
  const auto two = hn::Min(hn::Max(error, hn::Set(d, -2.0)), hn::Set(d, 2.0));
  const auto bin = hn::Mul(hn::Add(nearest(d, hn::Mul(two, hn::Set(d, 1e6))), hn::Set(d, 1000000.5)), hn::Set(d, 2e-5));
  hn::StoreU(hn::DemoteTo(integers, hn::Min(hn::Max(bin, hn::Zero(d)), hn::Set(d, 39.0))), integers, bins);
}

template <class Stored, class Values>
HWY_ATTR std::int64_t run(const NearRequest& r, const Values& values, std::uint16_t* near, NearTotals& totals) {
  const D d;
  std::int32_t bins[near_most + 16];
  Running t{hn::Zero(d), hn::Zero(d)};
  const auto all = hn::FirstN(d, static_cast<std::size_t>(wide));
  std::int64_t i = 0;
  for (; i + wide <= r.n; i += wide) step<Stored>(r, values.whole(i), r.stored + i, i, all, near, bins + i, t);
  if (i < r.n) {
    std::byte stored[16] = {};
    std::memcpy(stored, r.stored + i, static_cast<std::size_t>(r.n - i));
    step<Stored>(r, values.tail(i), stored, i, hn::FirstN(d, static_cast<std::size_t>(r.n - i)), near, bins + i, t);
  }
  totals.elements += r.n;
  totals.wrong += t.wrong;
  double largest[16], sum[16];
  hn::StoreU(t.largest, d, largest);
  hn::StoreU(t.sum, d, sum);  // integers: at most 1024 of up to 2^40
  for (std::int64_t k = 0; k < wide; ++k) totals.largest = std::max(totals.largest, largest[k]), totals.sum += static_cast<std::int64_t>(sum[k]);
  std::uint32_t counts[4][40] = {};
  for (i = 0; i + 4 <= r.n; i += 4)
    for (std::int64_t k = 0; k < 4; ++k) ++counts[k][bins[i + k]];
  for (; i < r.n; ++i) ++counts[0][bins[i]];
  for (std::size_t k = 0; k < 40; ++k) totals.histogram[k] += std::int64_t{counts[0][k]} + counts[1][k] + counts[2][k] + counts[3][k];
  return t.near;
}

template <class A, class B, class Stored>
HWY_ATTR std::int64_t compare_bytes(const ByteSums& sums, const NearRequest& r, std::uint16_t* near, ByteSumTotals& totals) {
  const F f;
  const OfBytes<F, A, B> values{sums, r.n};
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
  for (; i + single <= r.n; i += single) look(values.whole(i), r.stored + i, i, all);
  if (i < r.n) {
    std::byte stored[32] = {};
    std::memcpy(stored, r.stored + i, static_cast<std::size_t>(r.n - i));
    look(values.tail(i), stored, i, hn::FirstN(f, static_cast<std::size_t>(r.n - i)));
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
  return r.is_signed ? run<I8>(r, OfSums{r}, near, totals) : run<U8>(r, OfSums{r}, near, totals);
}

HWY_ATTR std::int64_t measure_bytes(const ByteSums& s, const NearRequest& r, std::uint16_t* near, NearTotals& totals) {
  return of_types(s.a_signed, s.b_signed, r.is_signed, [&]<class A, class B, class Stored>() { return run<Stored>(r, OfBytes<D, A, B>{s, r.n}, near, totals); });
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
