// saturating_sums.cpp: see saturating_sums.hpp.
#include "lib/kernels/saturating_sums.hpp"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/kernels/saturating_sums.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace lastbit::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// S sequences; a lane a width.
template <int S>
HWY_ATTR void saturating(const std::int32_t* const* terms, std::int64_t n, const std::int32_t* low, const std::int32_t* high, std::int32_t* sums) {
  const hn::CappedTag<std::int32_t, static_cast<std::size_t>(widths_at_once)> d;
  using Vector = hn::Vec<decltype(d)>;
  const auto step = static_cast<int>(hn::Lanes(d));
  for (int i = 0; i < widths_at_once; i += step) {
    const Vector least = hn::LoadU(d, low + i), most = hn::LoadU(d, high + i);
    Vector sum[S];
    for (int s = 0; s < S; ++s) sum[s] = hn::Zero(d);
    for (std::int64_t k = 0; k < n; ++k)
      for (int s = 0; s < S; ++s) sum[s] = hn::Min(hn::Max(hn::Add(sum[s], hn::Set(d, terms[s][k])), least), most);
    for (int s = 0; s < S; ++s) hn::StoreU(sum[s], d, sums + s * widths_at_once + i);
  }
}

HWY_ATTR void saturating_one(const std::int32_t* const* terms, std::int64_t n, const std::int32_t* low, const std::int32_t* high, std::int32_t* sums) { saturating<1>(terms, n, low, high, sums); }
HWY_ATTR void saturating_two(const std::int32_t* const* terms, std::int64_t n, const std::int32_t* low, const std::int32_t* high, std::int32_t* sums) { saturating<2>(terms, n, low, high, sums); }

}  // namespace lastbit::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lastbit {
namespace {

struct Bounds {
  WidthSums low, high;
  explicit Bounds(int narrowest) {
    for (int i = 0; i < widths_at_once; ++i) {
      const auto at = static_cast<std::size_t>(i);
      high[at] = static_cast<std::int32_t>((std::int64_t{1} << (std::min(narrowest + i, widest_at_once) - 1)) - 1), low[at] = -high[at] - 1;
    }
  }
};

}  // namespace

HWY_EXPORT(saturating_one);
HWY_EXPORT(saturating_two);

WidthSums saturating_sums(const std::int32_t* terms, std::int64_t n, int narrowest) {
  const Bounds b(narrowest);
  WidthSums sums;
  HWY_DYNAMIC_DISPATCH(saturating_one)(&terms, n, b.low.data(), b.high.data(), sums.data());
  return sums;
}

std::array<WidthSums, 2> saturating_sums(const std::int32_t* first, const std::int32_t* second, std::int64_t n, int narrowest) {
  const Bounds b(narrowest);
  const std::int32_t* terms[2] = {first, second};
  std::int32_t sums[2 * widths_at_once];
  HWY_DYNAMIC_DISPATCH(saturating_two)(terms, n, b.low.data(), b.high.data(), sums);
  std::array<WidthSums, 2> both;
  for (std::size_t s = 0; s < 2; ++s) std::copy_n(sums + s * both[s].size(), both[s].size(), both[s].begin());
  return both;
}

}  // namespace lastbit
#endif
