// signed_sums.cpp: see signed_sums.hpp.
#include "lib/kernels/signed_sums.hpp"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/kernels/signed_sums.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include "lib/kernels/squares-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lastbit::HWY_NAMESPACE {
namespace {

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

HWY_ATTR std::int64_t add_up_squares(const std::int8_t* w, std::int64_t n) { return square_sum_of(w, n, 0); }

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
