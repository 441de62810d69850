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

HWY_ATTR std::int64_t find_near(const NearSums& r, float doubt, std::uint16_t* near) {
  const F f;
  std::int64_t found = 0;
  const auto close = [&](VI sums, VF m, VF a) HWY_ATTR {
    const VF v = hn::Add(hn::Mul(hn::ConvertTo(f, sums), m), a), away = hn::Sub(hn::Set(f, 0.5f), hn::Abs(hn::Sub(v, nearest(f, v))));
    return hn::Le(away, hn::Set(f, doubt));
  };
  for (std::int64_t k = 0; k < r.runs; ++k) {
    const std::int32_t* acc = r.acc + k * r.acc_step;
    const float *m = r.multiplier + k * r.run_step, *a = r.offset + k * r.run_step;
    std::int64_t i = 0;
    for (; i + single <= r.n; i += single) {
      const auto mask = close(hn::LoadU(I(), acc + i), r.step ? hn::LoadU(f, m + i) : hn::Set(f, m[0]), r.step ? hn::LoadU(f, a + i) : hn::Set(f, a[0]));
      found += note(f, mask, k * r.n + i, near + found);
    }
    if (i < r.n) {
      alignas(64) std::int32_t sums[single] = {};
      alignas(64) float ms[single] = {}, as[single] = {};
      const std::int64_t valid = r.n - i;
      for (std::int64_t e = 0; e < valid; ++e) sums[e] = acc[i + e], ms[e] = m[r.step * (i + e)], as[e] = a[r.step * (i + e)];
      const auto mask = hn::And(hn::FirstN(f, static_cast<std::size_t>(valid)), close(hn::Load(I(), sums), hn::Load(f, ms), hn::Load(f, as)));
      found += note(f, mask, k * r.n + i, near + found);
    }
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

std::int64_t find_near(const NearSums& r, float doubt, std::uint16_t* near) { return HWY_DYNAMIC_DISPATCH(find_near)(r, doubt, near); }

}  // namespace lastbit
#endif
