// nearness.cpp: see nearness.hpp; measure() is in measure.cpp.
#include "lib/kernels/nearness.hpp"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/kernels/nearness.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include "lib/kernels/nearness-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lastbit::HWY_NAMESPACE {
namespace {

template <class A, class B, class Stored>
HWY_ATTR std::int64_t compare_bytes(const ByteSums& sums, const NearRequest& r, std::uint16_t* near, ByteSumTotals& totals) {
  const F f;
  const auto low = hn::Set(f, static_cast<float>(r.low)), high = hn::Set(f, static_cast<float>(r.high)), doubt = hn::Set(f, static_cast<float>(r.doubt));
  std::int64_t found = 0;
  std::size_t clamped = 0;
  auto differ = hn::Zero(f);
  const auto look = [&](hn::Vec<F> v, const std::byte* stored, std::int64_t from, hn::Mask<F> valid) HWY_ATTR {
    const auto whole = nearest(f, v), inside = hn::Min(hn::Max(whole, low), high);
    const auto close = hn::And(valid, hn::Le(hn::Sub(hn::Set(f, 0.5f), hn::Abs(hn::Sub(v, whole))), doubt)), far = hn::AndNot(close, valid);
    differ = hn::Or(differ, hn::IfThenElseZero(far, hn::Sub(inside, hn::ConvertTo(f, integers<Stored>(stored)))));
    clamped += hn::CountTrue(f, hn::And(far, hn::Ne(whole, inside)));
    found += note(f, close, from, near + found);
  };
  const auto all = hn::FirstN(f, static_cast<std::size_t>(single));
  std::int64_t i = 0;
  for (; i + single <= r.n; i += single) look(value_of(sums, integers<A>(sums.a + i), integers<B>(sums.b + i)), r.stored + i, i, all);
  if (i < r.n) {
    const std::int64_t rest = r.n - i;
    const Padded a(sums.a + i, rest), b(sums.b + i, rest), stored(r.stored + i, rest);
    look(value_of(sums, integers<A>(a.bytes), integers<B>(b.bytes)), stored.bytes, i, hn::FirstN(f, static_cast<std::size_t>(rest)));
  }
  totals.differ |= !hn::AllTrue(f, hn::Eq(differ, hn::Zero(f)));
  totals.clamped += static_cast<std::int64_t>(clamped);
  return found;
}

}  // namespace

HWY_ATTR std::int64_t compare_sums(const ByteSums& s, const NearRequest& r, std::uint16_t* near, ByteSumTotals& totals) {
  return of_types(s.a_signed, s.b_signed, r.is_signed, [&]<class A, class B, class Stored>() { return compare_bytes<A, B, Stored>(s, r, near, totals); });
}

HWY_ATTR std::int64_t find_near(const std::int32_t* acc, std::int64_t n, const float* multiplier, const float* offset, int step, float doubt, std::uint16_t* near) {
  const F f;
  const I integers;
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

HWY_EXPORT(compare_sums);
HWY_EXPORT(find_near);

std::int64_t compare(const ByteSums& s, const NearRequest& r, std::uint16_t* near, ByteSumTotals& totals) { return HWY_DYNAMIC_DISPATCH(compare_sums)(s, r, near, totals); }

std::int64_t find_near(const std::int32_t* acc, std::int64_t n, const float* multiplier, const float* offset, int step, float doubt, std::uint16_t* near) {
  return HWY_DYNAMIC_DISPATCH(find_near)(acc, n, multiplier, offset, step, doubt, near);
}

}  // namespace lastbit
#endif
