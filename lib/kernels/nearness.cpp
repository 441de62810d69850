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

template <class Stored>
HWY_ATTR HWY_INLINE void step(const NearRequest& r, const std::int32_t* acc, const std::byte* stored, const double* m, const double* a, std::int64_t from, hn::Mask<D> valid,
                              std::uint16_t* near, std::int32_t* bins, Running& t) {
  const D d;
  const DI integers;
  const hn::Rebind<Stored, D> bytes;
  const auto multiplier = r.line.step ? hn::LoadU(d, m) : hn::Set(d, m[0]), offset = r.line.step ? hn::LoadU(d, a) : hn::Set(d, a[0]);
  const auto low = hn::Set(d, r.low), high = hn::Set(d, r.high);
  const auto v = hn::Add(hn::Mul(hn::PromoteTo(d, hn::LoadU(integers, acc)), multiplier), offset);
  const auto q = hn::PromoteTo(d, hn::PromoteTo(integers, hn::LoadU(bytes, reinterpret_cast<const Stored*>(stored))));
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

template <class Stored>
HWY_ATTR std::int64_t run(const NearRequest& r, std::uint16_t* near, NearTotals& totals) {
  const D d;
  std::int32_t bins[near_most + 16];
  Running t{hn::Zero(d), hn::Zero(d)};
  const auto all = hn::FirstN(d, static_cast<std::size_t>(wide));
  std::int64_t i = 0;
  for (; i + wide <= r.n; i += wide) step<Stored>(r, r.acc + i, r.stored + i, r.line.multiplier + r.line.step * i, r.line.offset + r.line.step * i, i, all, near, bins + i, t);
  if (i < r.n) {
    std::int32_t acc[16] = {};
    std::byte stored[16] = {};
    double m[16] = {}, a[16] = {};
    for (std::int64_t k = 0; i + k < r.n; ++k) acc[k] = r.acc[i + k], stored[k] = r.stored[i + k], m[k] = r.line.multiplier[r.line.step * (i + k)], a[k] = r.line.offset[r.line.step * (i + k)];
    step<Stored>(r, acc, stored, m, a, i, hn::FirstN(d, static_cast<std::size_t>(r.n - i)), near, bins + i, t);
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

}  // namespace

HWY_ATTR std::int64_t measure(const NearRequest& r, std::uint16_t* near, NearTotals& totals) { return r.is_signed ? run<std::int8_t>(r, near, totals) : run<std::uint8_t>(r, near, totals); }

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

HWY_EXPORT(measure);
HWY_EXPORT(find_near);

std::int64_t measure(const NearRequest& r, std::uint16_t* near, NearTotals& totals) { return HWY_DYNAMIC_DISPATCH(measure)(r, near, totals); }

std::int64_t find_near(const std::int32_t* acc, std::int64_t n, const float* multiplier, const float* offset, int step, float doubt, std::uint16_t* near) {
  return HWY_DYNAMIC_DISPATCH(find_near)(acc, n, multiplier, offset, step, doubt, near);
}

}  // namespace lastbit
#endif
