// column_dots.cpp: see column_dots.hpp. Weights are read in the order in which they lie, sixteen terms of all columns after the other, and sums wait in
// the first cache.
#include "lib/kernels/column_dots.hpp"

#include <algorithm>
#include <cstring>

#include "lib/error.hpp"
#include "lib/kernels/layout.hpp"
#include "lib/tensor/scratch.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/kernels/column_dots.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include "lib/kernels/dot-inl.h"

LASTBIT_BEFORE_NAMESPACE();
namespace lastbit::HWY_NAMESPACE {

#if LASTBIT_BYTES
constexpr std::int64_t terms_a_panel = 16;

/// Sixteen terms from w on, row r's x from x + r * x_stride on. `Sizes`: w_sum and w_size are added to, too.
template <int R, bool Sizes>
HWY_ATTR void panel(const ColumnsJob& job, const std::byte* w, std::int64_t w_stride, const std::byte* x, std::int32_t* out, std::int64_t out_stride) {
  const __m512i flip = _mm512_set1_epi8(is_signed(job.w_dtype) ? 0 : static_cast<char>(0x80)), one = _mm512_set1_epi8(1);
  for (std::int64_t c = 0; c < job.columns; c += columns_a_block) {
    const std::int64_t left = job.columns - c;
    const __mmask64 inside = left >= columns_a_block ? ~__mmask64{0} : (__mmask64{1} << left) - 1;
    __m512i acc[4 * R], sum[4], size[4];
    LASTBIT_UNROLL
    for (int i = 0; i < 4; ++i) {
      for (int r = 0; r < R; ++r) acc[4 * r + i] = _mm512_load_si512(out + r * out_stride + c + 16 * i);
      if constexpr (Sizes) sum[i] = _mm512_load_si512(job.w_sum + c + 16 * i), size[i] = _mm512_load_si512(job.w_size + c + 16 * i);
    }
    for (std::int64_t k = 0; k < terms_a_panel; k += 4) {
      const auto row = [&](std::int64_t i) HWY_ATTR { return _mm512_xor_si512(_mm512_maskz_loadu_epi8(inside, w + (k + i) * w_stride + c), flip); };
      const __m512i a = row(0), b = row(1), e = row(2), f = row(3);
      const __m512i low = _mm512_unpacklo_epi8(a, b), high = _mm512_unpackhi_epi8(a, b), low2 = _mm512_unpacklo_epi8(e, f), high2 = _mm512_unpackhi_epi8(e, f);
      const __m512i v[4] = {_mm512_unpacklo_epi16(low, low2), _mm512_unpackhi_epi16(low, low2), _mm512_unpacklo_epi16(high, high2), _mm512_unpackhi_epi16(high, high2)};
      LASTBIT_UNROLL
      for (int r = 0; r < R; ++r) {
        const V32 four = broadcast(x + r * job.x_stride + k);
        LASTBIT_UNROLL
        for (int i = 0; i < 4; ++i) acc[4 * r + i] = _mm512_dpbusd_epi32(acc[4 * r + i], four.raw, v[i]);
      }
      if constexpr (Sizes) {
        LASTBIT_UNROLL
        for (int i = 0; i < 4; ++i) {
          sum[i] = _mm512_dpbusd_epi32(sum[i], one, v[i]);
          size[i] = _mm512_dpbusd_epi32(size[i], _mm512_abs_epi8(v[i]), one);  // |-128| is 128 as uint8
        }
      }
    }
    LASTBIT_UNROLL
    for (int i = 0; i < 4; ++i) {
      for (int r = 0; r < R; ++r) _mm512_store_si512(out + r * out_stride + c + 16 * i, acc[4 * r + i]);
      if constexpr (Sizes) _mm512_store_si512(job.w_sum + c + 16 * i, sum[i]), _mm512_store_si512(job.w_size + c + 16 * i, size[i]);
    }
  }
}

/// All rows by sixteen terms.
HWY_ATTR void rows_by_panel(const ColumnsJob& job, const std::byte* w, std::int64_t w_stride, std::int64_t k, std::int64_t out_stride) {
  for (std::int64_t row = 0; row < job.rows;) {
    const std::byte* x = job.x + row * job.x_stride + k;
    std::int32_t* out = job.out + row * out_stride;
    const std::int64_t left = job.rows - row;
    if (row == 0 && left == 1) panel<1, true>(job, w, w_stride, x, out, out_stride), row += 1;
    else if (row == 0) panel<2, true>(job, w, w_stride, x, out, out_stride), row += 2;
    else if (left >= 4) panel<4, false>(job, w, w_stride, x, out, out_stride), row += 4;
    else if (left >= 2) panel<2, false>(job, w, w_stride, x, out, out_stride), row += 2;
    else panel<1, false>(job, w, w_stride, x, out, out_stride), row += 1;
  }
}

HWY_ATTR void columns_on(const ColumnsJob& job) {
  thread_local Scratch last;
  const std::int64_t out_stride = (job.columns + columns_a_block - 1) / columns_a_block * columns_a_block;
  std::fill_n(job.out, job.rows * out_stride, 0);
  std::fill_n(job.w_sum, out_stride, 0);
  std::fill_n(job.w_size, out_stride, 0);
  const std::int64_t whole = job.terms / terms_a_panel * terms_a_panel, rest = job.terms - whole;
  for (std::int64_t k = 0; k < whole; k += terms_a_panel) rows_by_panel(job, job.w + k * job.columns, job.columns, k, out_stride);
  if (rest == 0) return;
  auto* tail = last.get<std::byte>(terms_a_panel * job.columns);  // terms beyond the last: 0
  std::memcpy(tail, job.w + whole * job.columns, static_cast<std::size_t>(rest * job.columns));
  std::memset(tail + rest * job.columns, is_signed(job.w_dtype) ? 0 : 0x80, static_cast<std::size_t>((terms_a_panel - rest) * job.columns));
  rows_by_panel(job, tail, job.columns, whole, out_stride);
}
#else
void columns_on(const ColumnsJob&) { throw InternalError("column_dots() on an instruction set without products of bytes"); }
#endif

}  // namespace lastbit::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lastbit {

HWY_EXPORT(columns_on);

void column_dots(const ColumnsJob& job) { HWY_DYNAMIC_DISPATCH(columns_on)(job); }

}  // namespace lastbit
#endif
