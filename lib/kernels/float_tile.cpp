// float_tile.cpp: see float_tile.hpp.
#include "lib/kernels/float_tile.hpp"

#include <algorithm>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/kernels/float_tile.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include "lib/kernels/dot-inl.h"

LASTBIT_BEFORE_NAMESPACE();
namespace lastbit::HWY_NAMESPACE {
namespace {

using F = hn::RebindToFloat<D32>;
using VF = hn::Vec<F>;
constexpr auto wide = static_cast<std::int64_t>(lanes);

/// As many bytes as a vector has lanes, less their zero point, times their scale.
HWY_INLINE VF dequantized(const std::byte* from, V32 flip, V32 zero_point, VF scale) {
  const D32 d;
  const hn::Rebind<std::uint8_t, D32> d8;
  const V32 q = hn::Xor(hn::PromoteTo(d, hn::LoadU(d8, reinterpret_cast<const std::uint8_t*>(from))), flip);
  return hn::Mul(hn::ConvertTo(F(), hn::Sub(q, zero_point)), scale);
}

/// R rows by V vectors of columns. Mul and Add, not MulAdd: two roundings.
template <int R, int V>
HWY_NOINLINE HWY_ATTR void tile(const float* x, std::int64_t terms, const float* w, float* sums) {
  const F f;
  VF acc[R * V];
  LASTBIT_UNROLL
  for (int r = 0; r < R; ++r) {
    LASTBIT_UNROLL
    for (int v = 0; v < V; ++v) acc[r * V + v] = hn::LoadU(f, sums + r * float_columns + v * wide);
  }
  for (std::int64_t k = 0; k < terms; ++k, w += float_columns) {
    VF weight[V];
    LASTBIT_UNROLL
    for (int v = 0; v < V; ++v) weight[v] = hn::LoadU(f, w + v * wide);
    LASTBIT_UNROLL
    for (int r = 0; r < R; ++r) {
      const VF value = hn::Set(f, x[r * terms + k]);
      LASTBIT_UNROLL
      for (int v = 0; v < V; ++v) acc[r * V + v] = hn::Add(acc[r * V + v], hn::Mul(value, weight[v]));
    }
  }
  LASTBIT_UNROLL
  for (int r = 0; r < R; ++r) {
    LASTBIT_UNROLL
    for (int v = 0; v < V; ++v) hn::StoreU(acc[r * V + v], f, sums + r * float_columns + v * wide);
  }
}

}  // namespace

HWY_ATTR void dequantize_packed_on(const std::byte* packed, std::int64_t dwords, const std::int32_t* zero_point, const float* scale, float* to) {
  const D32 d;
  const F f;
  for (std::int64_t k = 0; k < dwords; ++k, packed += 4 * float_columns, to += 4 * float_columns)
    for (std::int64_t c = 0; c < float_columns; c += wide) {
      const V32 q = load(packed + 4 * c), z = hn::LoadU(d, zero_point + c);
      const VF s = hn::LoadU(f, scale + c);
      const auto put = [&](int j, V32 byte) HWY_ATTR { hn::StoreU(hn::Mul(hn::ConvertTo(f, hn::Sub(byte, z)), s), f, to + j * float_columns + c); };
      put(0, hn::ShiftRight<24>(hn::ShiftLeft<24>(q)));
      put(1, hn::ShiftRight<24>(hn::ShiftLeft<16>(q)));
      put(2, hn::ShiftRight<24>(hn::ShiftLeft<8>(q)));
      put(3, hn::ShiftRight<24>(q));
    }
}

HWY_ATTR void dequantize_bytes_on(const std::byte* from, std::int64_t n, std::int32_t zero_point, float scale, float* to) {
  const F f;
  const V32 none = hn::Zero(D32()), zero = hn::Set(D32(), zero_point);
  const VF s = hn::Set(f, scale);
  std::int64_t i = 0;
  for (; i + wide <= n; i += wide) hn::StoreU(dequantized(from + i, none, zero, s), f, to + i);
  for (; i < n; ++i) to[i] = static_cast<float>(std::to_integer<std::int32_t>(from[i]) - zero_point) * scale;
}

HWY_ATTR void add_float_products_on(const float* x, std::int64_t rows, std::int64_t terms, const float* w, float* sums) {
  constexpr int R = lanes >= 16 ? 6 : 4, V = lanes >= 16 ? 4 : 2;
  for (; rows >= R; rows -= R, x += R * terms, sums += R * float_columns)
    for (std::int64_t c = 0; c < float_columns; c += V * wide) tile<R, V>(x, terms, w + c, sums + c);
  for (std::int64_t c = 0; c < float_columns; c += V * wide) {
    if (rows == 5) tile<5, V>(x, terms, w + c, sums + c);
    if (rows == 4) tile<4, V>(x, terms, w + c, sums + c);
    if (rows == 3) tile<3, V>(x, terms, w + c, sums + c);
    if (rows == 2) tile<2, V>(x, terms, w + c, sums + c);
    if (rows == 1) tile<1, V>(x, terms, w + c, sums + c);
  }
}

HWY_ATTR void add_float_channels_on(const std::byte* const* x, std::int64_t taps, std::int64_t count, std::uint8_t flip, std::int32_t zero_point, float scale, const float* w, std::int64_t width, float* sums) {
  const F f;
  const V32 flips = hn::Set(D32(), flip), zero = hn::Set(D32(), zero_point);
  const VF s = hn::Set(f, scale);
  std::int64_t c = 0;
  for (; c + wide <= count; c += wide) {
    VF acc = hn::LoadU(f, sums + c);
    for (std::int64_t t = 0; t < taps; ++t)
      if (x[t]) acc = hn::Add(acc, hn::Mul(dequantized(x[t] + c, flips, zero, s), hn::LoadU(f, w + t * width + c)));
    hn::StoreU(acc, f, sums + c);
  }
  for (; c < count; ++c)
    for (std::int64_t t = 0; t < taps; ++t) {
      if (!x[t]) continue;
      const float value = static_cast<float>((std::to_integer<std::int32_t>(x[t][c]) ^ flip) - zero_point) * scale, product = value * w[t * width + c];
      sums[c] = sums[c] + product;
    }
}

/// Products along the terms, sixteen by sixteen, turned so that one vector of rows is added after the other.
HWY_ATTR void float_row_sums_on(const FloatRow* rows, std::int64_t count, const TermSegment* segments, std::int64_t segment_count, std::int32_t x_zero_point, float x_scale, float* sums) {
  static_assert(float_rows == 16);
  const F f;
  const D32 d;
  const V32 none = hn::Zero(d), zero = hn::Set(d, x_zero_point);
  const VF scale = hn::Set(f, x_scale);
  const hn::Rebind<std::int8_t, D32> i8;
  alignas(64) float products[16][16] = {}, turned[16][16] = {}, total[16] = {};
  std::int64_t w_at = 0;
  for (std::int64_t s = 0; s < segment_count; ++s) {
    const std::int64_t terms = segments[s].dwords * 4;
    for (std::int64_t k = 0, n = 0; k < terms; k += 16, w_at += n) {
      n = std::min<std::int64_t>(16, terms - k);
      for (std::int64_t r = 0; r < count; ++r) {
        const std::byte *x = rows[r].x + segments[s].offset + k, *w = rows[r].w + w_at;
        std::byte last[2][16] = {};
        if (n < 16) {
          std::memcpy(last[0], x, static_cast<std::size_t>(n)), std::memcpy(last[1], w, static_cast<std::size_t>(n));
          x = last[0], w = last[1];
        }
        const VF w_scale = hn::Set(f, rows[r].w_scale);
        for (std::int64_t j = 0; j < 16; j += wide) {
          const VF weight = hn::Mul(hn::ConvertTo(f, hn::PromoteTo(d, hn::LoadU(i8, reinterpret_cast<const std::int8_t*>(w + j)))), w_scale);
          hn::StoreU(hn::Mul(dequantized(x + j, none, zero, scale), weight), f, products[r] + j);
        }
      }
      transpose_dwords(reinterpret_cast<const std::int32_t*>(products), 16, (count + 3) / 4 * 4, n, reinterpret_cast<std::int32_t*>(turned), 16);
      for (std::int64_t v = 0; v < 16; v += wide) {
        VF sum = hn::LoadU(f, total + v);
        for (std::int64_t j = 0; j < n; ++j) sum = hn::Add(sum, hn::LoadU(f, turned[j] + v));
        hn::StoreU(sum, f, total + v);
      }
    }
  }
  std::copy_n(total, count, sums);
}

HWY_ATTR void compare_float_sums_on(const FloatFinish& q, const float* sums, std::int64_t count, const std::byte* observed, std::int64_t& mismatches, std::int64_t& largest) {
  const F f;
  const D32 d;
  const VF far = hn::Set(f, 0x1p20f), turn = hn::Set(f, 0x1.8p23f), scale = hn::Set(f, q.scale);
  const V32 zero = hn::Set(d, q.zero_point), low = hn::Set(d, q.low), high = hn::Set(d, q.high);
  const hn::Rebind<std::uint8_t, D32> u8;
  const hn::Rebind<std::int8_t, D32> i8;
  V32 most = hn::Zero(d);
  const auto look = [&](const float* s, const float* bias, const std::byte* y, hn::Mask<D32> valid) HWY_ATTR {
    const VF t = hn::Div(hn::Add(hn::LoadU(f, s), hn::LoadU(f, bias)), scale);
    const VF whole = hn::Sub(hn::Add(hn::Min(hn::Max(t, hn::Neg(far)), far), turn), turn);
    const V32 expected = hn::Min(hn::Max(hn::Add(hn::ConvertTo(d, whole), zero), low), high);
    const V32 was = q.is_signed ? hn::PromoteTo(d, hn::LoadU(i8, reinterpret_cast<const std::int8_t*>(y))) : hn::PromoteTo(d, hn::LoadU(u8, reinterpret_cast<const std::uint8_t*>(y)));
    const V32 error = hn::IfThenElseZero(valid, hn::Abs(hn::Sub(was, expected)));
    mismatches += static_cast<std::int64_t>(hn::CountTrue(d, hn::Ne(error, hn::Zero(d))));
    most = hn::Max(most, error);
  };
  std::int64_t c = 0;
  for (; c + wide <= count; c += wide) look(sums + c, q.bias + c, observed + c, hn::FirstN(d, lanes));
  if (c < count) {
    alignas(64) float s[lanes] = {}, bias[lanes] = {};
    std::byte y[lanes] = {};
    const auto rest = static_cast<std::size_t>(count - c);
    std::memcpy(s, sums + c, rest * sizeof(float)), std::memcpy(bias, q.bias + c, rest * sizeof(float)), std::memcpy(y, observed + c, rest);
    look(s, bias, y, hn::FirstN(d, rest));
  }
  largest = std::max<std::int64_t>(largest, hn::GetLane(hn::MaxOfLanes(d, most)));
}

}  // namespace lastbit::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lastbit {

HWY_EXPORT(dequantize_packed_on);
HWY_EXPORT(dequantize_bytes_on);
HWY_EXPORT(add_float_products_on);
HWY_EXPORT(add_float_channels_on);
HWY_EXPORT(float_row_sums_on);
HWY_EXPORT(compare_float_sums_on);

void dequantize_packed(const std::byte* packed, std::int64_t dwords, const std::int32_t* zero_point, const float* scale, float* to) { HWY_DYNAMIC_DISPATCH(dequantize_packed_on)(packed, dwords, zero_point, scale, to); }
void dequantize_bytes(const std::byte* from, std::int64_t n, std::int32_t zero_point, float scale, float* to) { HWY_DYNAMIC_DISPATCH(dequantize_bytes_on)(from, n, zero_point, scale, to); }
void add_float_products(const float* x, std::int64_t rows, std::int64_t terms, const float* w, float* sums) { HWY_DYNAMIC_DISPATCH(add_float_products_on)(x, rows, terms, w, sums); }
void add_float_channels(const std::byte* const* x, std::int64_t taps, std::int64_t count, std::uint8_t flip, std::int32_t zero_point, float scale, const float* w, std::int64_t width, float* sums) {
  HWY_DYNAMIC_DISPATCH(add_float_channels_on)(x, taps, count, flip, zero_point, scale, w, width, sums);
}
void float_row_sums(const FloatRow* rows, std::int64_t count, const TermSegment* segments, std::int64_t segment_count, std::int32_t x_zero_point, float x_scale, float* sums) {
  HWY_DYNAMIC_DISPATCH(float_row_sums_on)(rows, count, segments, segment_count, x_zero_point, x_scale, sums);
}
void compare_float_sums(const FloatFinish& q, const float* sums, std::int64_t count, const std::byte* observed, std::int64_t& mismatches, std::int64_t& largest) {
  HWY_DYNAMIC_DISPATCH(compare_float_sums_on)(q, sums, count, observed, mismatches, largest);
}

}  // namespace lastbit
#endif
