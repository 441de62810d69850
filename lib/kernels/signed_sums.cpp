// signed_sums.cpp: see signed_sums.hpp.
#include "lib/kernels/signed_sums.hpp"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/kernels/signed_sums.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace lastbit::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

template <class T>
SignedSums add_up(const T* w, std::int64_t n, std::int32_t zero_point) {
  constexpr std::int64_t chunk = 1 << 20;  // |w - zero_point| < 2^10: no int32 overflows
  std::int64_t sum = 0, size = 0;
  for (std::int64_t from = 0; from < n; from += chunk) {
    const std::int64_t to = std::min(n, from + chunk);
    std::int32_t some = 0, some_size = 0;
    for (std::int64_t i = from; i < to; ++i) {
      const std::int32_t v = std::int32_t{w[i]} - zero_point;
      some += v;
      some_size += v < 0 ? -v : v;
    }
    sum += some, size += some_size;
  }
  return {(size + sum) / 2, (sum - size) / 2};
}

}  // namespace

SignedSums add_up_bytes(bool is_signed, const std::byte* w, std::int64_t n, std::int32_t zero_point) {
  return is_signed ? add_up(reinterpret_cast<const std::int8_t*>(w), n, zero_point) : add_up(reinterpret_cast<const std::uint8_t*>(w), n, zero_point);
}

HWY_ATTR std::int64_t add_up_squares(const std::int8_t* w, std::int64_t n) {
  const hn::ScalableTag<std::int16_t> d16;
  const hn::Rebind<std::int8_t, decltype(d16)> d8;
  const hn::RepartitionToWide<decltype(d16)> d32;
  constexpr std::int64_t lanes = HWY_LANES(std::int16_t), chunk = lanes << 14;  // 2^14 pairs of squares of at most 2^14 fit
  std::int64_t sum = 0, i = 0;
  while (i + lanes <= n) {
    auto even = hn::Zero(d32), odd = hn::Zero(d32);
    for (const std::int64_t end = std::min(n, i + chunk); i + lanes <= end; i += lanes) {
      const auto v = hn::PromoteTo(d16, hn::LoadU(d8, w + i));
      even = hn::ReorderWidenMulAccumulate(d32, v, v, even, odd);
    }
    std::int32_t each[2][lanes / 2];
    hn::StoreU(even, d32, each[0]), hn::StoreU(odd, d32, each[1]);
    for (const auto& half : each)
      for (const std::int32_t v : half) sum += v;
  }
  for (; i < n; ++i) sum += std::int32_t{w[i]} * w[i];
  return sum;
}

}  // namespace lastbit::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lastbit {

HWY_EXPORT(add_up_bytes);
HWY_EXPORT(add_up_squares);

SignedSums signed_sums(DType dtype, const std::byte* w, std::int64_t n, std::int32_t zero_point) { return HWY_DYNAMIC_DISPATCH(add_up_bytes)(info(dtype).min < 0, w, n, zero_point); }

std::int64_t square_sum(const std::byte* w, std::int64_t n) { return HWY_DYNAMIC_DISPATCH(add_up_squares)(reinterpret_cast<const std::int8_t*>(w), n); }

}  // namespace lastbit
#endif
