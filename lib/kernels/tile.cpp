// tile.cpp: see tile.hpp.
#include "lib/kernels/tile.hpp"

#include <algorithm>
#include <utility>

#include "lib/error.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/kernels/tile.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include "lib/kernels/dot-inl.h"
#include "lib/kernels/squares-inl.h"

LASTBIT_BEFORE_NAMESPACE();
namespace lastbit::HWY_NAMESPACE {

constexpr std::int64_t max_rows = 6;  // 6 pixels x 4 vectors = 24 accumulators of 32 registers; 6 x 2 of 16

/// R pixels by V vectors of channels, from channel `at` of the tile. `Marked`: job.marks, and no zero points of weights.
template <class K, int R, int V, bool Marked>
HWY_NOINLINE HWY_ATTR void product(const TileJob& job, std::int64_t first, std::int64_t at) {
  const D32 d;
  const std::byte* px[R];
  LASTBIT_UNROLL
  for (int r = 0; r < R; ++r) px[r] = job.x + job.pixels[first + r];
  V32 acc[R * V];
  LASTBIT_UNROLL
  for (int v = 0; v < V; ++v) {
    const V32 start = hn::LoadU(d, job.start + at + v * static_cast<std::int64_t>(lanes));
    LASTBIT_UNROLL
    for (int r = 0; r < R; ++r) acc[r * V + v] = start;
  }
  const std::int64_t step = job.channels * 4;
  const std::byte* w = job.w + at * 4;
  for (std::int64_t s = 0; s < job.segment_count; ++s) {
    const std::int64_t begin = job.segments[s].offset, end = begin + 4 * job.segments[s].dwords;
    w += job.segments[s].passed * step;
    for (std::int64_t k = begin; k < end; k += 4, w += step) {
      V32 weight[V];
      LASTBIT_UNROLL
      for (int v = 0; v < V; ++v) weight[v] = load(w + v * static_cast<std::int64_t>(4 * lanes));
      LASTBIT_UNROLL
      for (int r = 0; r < R; ++r) {
        const V32 x = broadcast(px[r] + k);
        LASTBIT_UNROLL
        for (int v = 0; v < V; ++v) acc[r * V + v] = K::dot(acc[r * V + v], x, weight[v]);
      }
    }
    if constexpr (Marked) {
      LASTBIT_UNROLL
      for (int v = 0; v < V; ++v) {
        const std::int64_t c = at + v * static_cast<std::int64_t>(lanes);
        const V32 mark = hn::LoadU(d, job.marks + s * job.channels + c);
        LASTBIT_UNROLL
        for (int r = 0; r < R; ++r) {
          std::int32_t* peak = job.peaks + job.rows[first + r] * job.channels + c;
          const V32 size = hn::Abs(hn::Sub(acc[r * V + v], mark));
          hn::StoreU(s == 0 ? size : hn::Max(size, hn::LoadU(d, peak)), d, peak);
        }
      }
    }
  }
  LASTBIT_UNROLL
  for (int r = 0; r < R; ++r)
    LASTBIT_UNROLL
    for (int v = 0; v < V; ++v) {
      V32 sum = acc[r * V + v];
      const std::int64_t c = at + v * static_cast<std::int64_t>(lanes);
      if constexpr (Marked)
        if (job.segment_count == 0) hn::StoreU(hn::Zero(d), d, job.peaks + job.rows[first + r] * job.channels + c);
      if (job.w_zero_point) sum = hn::Sub(sum, hn::Mul(hn::LoadU(d, job.w_zero_point + c), hn::Set(d, job.row_sums[first + r])));
      hn::StoreU(sum, d, job.out + job.rows[first + r] * job.channels + c);
    }
}

template <class K, int V, bool Marked>
HWY_ATTR void column(const TileJob& job, std::int64_t at) {
  const std::int64_t tiles = (job.count + max_rows - 1) / max_rows;
  std::int64_t first = 0;
  for (std::int64_t t = 0; t < tiles; ++t) {  // balanced: 49 pixels are 5, 5, 6, ..., not 6, 6, ..., 1
    const std::int64_t rows = (job.count - first) / (tiles - t);
    switch (rows) {
      case 1: product<K, 1, V, Marked>(job, first, at); break;
      case 2: product<K, 2, V, Marked>(job, first, at); break;
      case 3: product<K, 3, V, Marked>(job, first, at); break;
      case 4: product<K, 4, V, Marked>(job, first, at); break;
      case 5: product<K, 5, V, Marked>(job, first, at); break;
      default: product<K, 6, V, Marked>(job, first, at); break;
    }
    first += rows;
  }
}

template <class K, bool Marked>
HWY_ATTR void products(const TileJob& job) {
  constexpr auto width = static_cast<std::int64_t>(lanes);
  std::int64_t at = 0;
  if constexpr (HWY_CAP_GE512 || HWY_ARCH_ARM_A64) {
    for (; at + 4 * width <= job.channels; at += 4 * width) column<K, 4, Marked>(job, at);
  }
  for (; at + 2 * width <= job.channels; at += 2 * width) column<K, 2, Marked>(job, at);
  for (; at < job.channels; at += width) column<K, 1, Marked>(job, at);
}

void tile_products_on(const TileJob& job) {
#if LASTBIT_BYTES
  if (job.kind == Kind::bytes) return job.marks ? products<Bytes, true>(job) : products<Bytes, false>(job);
#endif
  ensure(job.kind == Kind::words, "this instruction set multiplies int16 only");
  ensure(!job.marks, "sums of words are not marked");
  products<Words, false>(job);
}

HWY_ATTR void square_sums_on(const std::byte* x, std::int64_t pixels, std::int64_t pixel_bytes, std::int64_t channels, std::int32_t zero_point, std::int64_t* sums) {
  for (std::int64_t i = 0; i < pixels; ++i, x += pixel_bytes) sums[i] = square_sum_of(reinterpret_cast<const std::uint8_t*>(x), channels, zero_point);
}

void tile_row_sums_on(const TileJob& job, std::int32_t* sums) {
  for (std::int64_t i = 0; i < job.count; ++i) {
    std::uint32_t sum = 0;
    for (std::int64_t s = 0; s < job.segment_count; ++s) {
      const std::byte* p = job.x + job.pixels[i] + job.segments[s].offset;
      if (job.kind == Kind::bytes) {
        const auto* x = reinterpret_cast<const std::uint8_t*>(p);
        for (std::int64_t k = 0; k < 4 * job.segments[s].dwords; ++k) sum += x[k];
      } else {
        const auto* x = reinterpret_cast<const std::int16_t*>(p);
        for (std::int64_t k = 0; k < 2 * job.segments[s].dwords; ++k) sum += static_cast<std::uint32_t>(std::int32_t{x[k]});
      }
    }
    sums[i] = static_cast<std::int32_t>(sum);
  }
}

void transpose_tile_on(const std::int32_t* from, std::int64_t from_stride, std::int64_t rows, std::int64_t columns, std::int32_t* to, std::int64_t to_stride) {
  transpose_dwords(from, from_stride, rows, columns, to, to_stride);
}

}  // namespace lastbit::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lastbit {

HWY_EXPORT(tile_products_on);
HWY_EXPORT(square_sums_on);
HWY_EXPORT(tile_row_sums_on);
HWY_EXPORT(transpose_tile_on);

void tile_products(const TileJob& job) { HWY_DYNAMIC_DISPATCH(tile_products_on)(job); }
void square_sums(const std::byte* x, std::int64_t pixels, std::int64_t pixel_bytes, std::int64_t channels, std::int32_t zero_point, std::int64_t* sums) {
  HWY_DYNAMIC_DISPATCH(square_sums_on)(x, pixels, pixel_bytes, channels, zero_point, sums);
}
void tile_row_sums(const TileJob& job, std::int32_t* sums) { HWY_DYNAMIC_DISPATCH(tile_row_sums_on)(job, sums); }
void transpose_tile(const std::int32_t* from, std::int64_t from_stride, std::int64_t rows, std::int64_t columns, std::int32_t* to, std::int64_t to_stride) {
  HWY_DYNAMIC_DISPATCH(transpose_tile_on)(from, from_stride, rows, columns, to, to_stride);
}

}  // namespace lastbit
#endif
