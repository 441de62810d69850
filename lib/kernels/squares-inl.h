// squares-inl.h: included once per instruction set (Highway's foreach_target): squares of bytes, added up as int16 pairs.
#if defined(LASTBIT_KERNELS_SQUARES_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef LASTBIT_KERNELS_SQUARES_INL
#undef LASTBIT_KERNELS_SQUARES_INL
#else
#define LASTBIT_KERNELS_SQUARES_INL
#endif

#include <algorithm>

HWY_BEFORE_NAMESPACE();
namespace lastbit::HWY_NAMESPACE {
namespace {

/// The sum of (p[i] - zero_point)^2, for int8 or uint8 and a zero point of that type.
template <class T>
HWY_ATTR HWY_INLINE std::int64_t square_sum_of(const T* p, std::int64_t n, std::int32_t zero_point) {
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::ScalableTag<std::int16_t> d16;
  const hn::Rebind<T, decltype(d16)> d8;
  const hn::RepartitionToWide<decltype(d16)> d32;
  constexpr std::int64_t step = HWY_LANES(std::int16_t), chunk = 32768;  // squares of at most 255 that int32 holds, all lanes together
  const auto zero = hn::Set(d16, static_cast<std::int16_t>(zero_point));
  std::int64_t sum = 0, i = 0;
  while (i + step <= n) {
    auto even = hn::Zero(d32), odd = even;
    for (const std::int64_t end = std::min(n, i + chunk); i + step <= end; i += step) {
      const auto v = hn::Sub(hn::PromoteTo(d16, hn::LoadU(d8, p + i)), zero);
      even = hn::ReorderWidenMulAccumulate(d32, v, v, even, odd);
    }
    sum += hn::GetLane(hn::SumOfLanes(d32, hn::Add(even, odd)));
  }
  for (; i < n; ++i) sum += std::int64_t{p[i] - zero_point} * (p[i] - zero_point);
  return sum;
}

}  // namespace
}  // namespace lastbit::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
