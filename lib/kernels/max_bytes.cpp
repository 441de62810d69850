// max_bytes.cpp: see max_bytes.hpp.
#include "lib/kernels/max_bytes.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/kernels/max_bytes.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace lastbit::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

template <class T>
void larger(T* most, const T* row, std::int64_t n) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(hn::Max(hn::LoadU(d, most + i), hn::LoadU(d, row + i)), d, most + i);
  for (; i < n; ++i) most[i] = most[i] < row[i] ? row[i] : most[i];
}

}  // namespace

void larger_bytes(bool is_signed, std::byte* most, const std::byte* row, std::int64_t n) {
  if (is_signed) larger(reinterpret_cast<std::int8_t*>(most), reinterpret_cast<const std::int8_t*>(row), n);
  else larger(reinterpret_cast<std::uint8_t*>(most), reinterpret_cast<const std::uint8_t*>(row), n);
}

}  // namespace lastbit::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lastbit {

HWY_EXPORT(larger_bytes);

void max_bytes(bool is_signed, std::byte* most, const std::byte* row, std::int64_t n) { HWY_DYNAMIC_DISPATCH(larger_bytes)(is_signed, most, row, n); }

}  // namespace lastbit
#endif
