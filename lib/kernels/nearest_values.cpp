// nearest_values.cpp: see nearest_values.hpp.
#include "lib/kernels/nearest_values.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/kernels/nearest_values.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace lastbit::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

HWY_ATTR std::int64_t nearest_values_on(const NearestValues& r, std::byte* stored, std::uint16_t* near, std::int64_t& clamped) {
  const hn::ScalableTag<double> d;
  const hn::Rebind<std::int32_t, decltype(d)> d32;
  const auto n = static_cast<std::int64_t>(hn::Lanes(d));
  const auto low = hn::Set(d, r.low), high = hn::Set(d, r.high), doubt = hn::Set(d, r.doubt), half = hn::Set(d, 0.5), turn = hn::Set(d, 0x1.8p52);
  // Where the event "clamped" begins. Below the range nothing is counted when an activation has cut it.
  const double beyond = r.clamped_first ? 0 : 0.5;
  const auto bottom = hn::Set(d, r.low_is_silent ? -HUGE_VAL : r.low - beyond), top = hn::Set(d, r.high + beyond);
  std::int64_t found = 0, cut = 0;
  const auto look = [&](const std::int32_t* acc, const double* m, const double* a, std::int64_t from, std::int64_t valid) HWY_ATTR {
    const auto v = hn::Add(hn::Mul(hn::PromoteTo(d, hn::LoadU(d32, acc)), r.line.step ? hn::LoadU(d, m) : hn::Set(d, m[0])), r.line.step ? hn::LoadU(d, a) : hn::Set(d, a[0]));
    const auto whole = hn::Sub(hn::Add(hn::Min(hn::Max(v, hn::Sub(low, hn::Set(d, 1.0))), hn::Add(high, hn::Set(d, 1.0))), turn), turn);
    alignas(64) std::int32_t values[16] = {};
    hn::Store(hn::DemoteTo(d32, hn::Min(hn::Max(whole, low), high)), d32, values);
    for (std::int64_t k = 0; k < n; ++k) stored[from + k] = static_cast<std::byte>(values[k] & 0xFF);
    // A rounding before the clamp has ties beyond the range, too; there the stages err in proportion.
    const auto turned = r.clamped_first ? whole : hn::Sub(hn::Add(v, turn), turn);
    const auto wide = hn::Mul(doubt, hn::Max(hn::Mul(hn::Abs(v), hn::Set(d, 1.0 / 512)), hn::Set(d, 1.0)));
    auto close = hn::Le(hn::Abs(hn::Sub(half, hn::Abs(hn::Sub(v, turned)))), wide);
    close = hn::Or(close, hn::Or(hn::Le(hn::Abs(hn::Sub(v, bottom)), doubt), hn::Le(hn::Abs(hn::Sub(v, top)), doubt)));
    if (r.clamped_first) close = hn::Or(close, hn::Or(hn::Le(hn::Abs(hn::Sub(v, low)), doubt), hn::Le(hn::Abs(hn::Sub(v, high)), doubt)));
    const auto mine = hn::FirstN(d, static_cast<std::size_t>(valid));
    close = hn::And(mine, close);
    cut += static_cast<std::int64_t>(hn::CountTrue(d, hn::AndNot(close, hn::And(mine, hn::Or(hn::Lt(v, bottom), hn::Gt(v, top))))));
    if (HWY_LIKELY(hn::AllFalse(d, close))) return;
    std::uint8_t bytes[8] = {};
    hn::StoreMaskBits(d, close, bytes);
    std::uint64_t bits = 0;
    std::memcpy(&bits, bytes, 8);
    for (; bits; bits &= bits - 1) near[found++] = static_cast<std::uint16_t>(from + std::countr_zero(bits));
  };
  std::int64_t i = 0;
  for (; i + n <= r.n; i += n) look(r.acc + i, r.line.multiplier + r.line.step * i, r.line.offset + r.line.step * i, i, n);
  if (i < r.n) {
    std::int32_t acc[16] = {};
    double m[16] = {}, a[16] = {};
    for (std::int64_t k = 0; i + k < r.n; ++k) acc[k] = r.acc[i + k], m[k] = r.line.multiplier[r.line.step * (i + k)], a[k] = r.line.offset[r.line.step * (i + k)];
    look(acc, m, a, i, r.n - i);
  }
  clamped += cut;
  return found;
}

}  // namespace lastbit::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lastbit {

HWY_EXPORT(nearest_values_on);

std::int64_t nearest_values(const NearestValues& r, std::byte* stored, std::uint16_t* near, std::int64_t& clamped) { return HWY_DYNAMIC_DISPATCH(nearest_values_on)(r, stored, near, clamped); }

}  // namespace lastbit
#endif
