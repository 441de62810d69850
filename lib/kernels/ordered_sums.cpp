// ordered_sums.cpp: see ordered_sums.hpp.
#include "lib/kernels/ordered_sums.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/kernels/ordered_sums.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace lastbit::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// R rows by V vectors of columns. Mul and Add, not MulAdd: two roundings.
template <class T, int R, int V>
HWY_NOINLINE HWY_ATTR void ordered_tile(const T* x, std::int64_t terms, const T* w, std::int64_t columns, T* out) {
  const hn::CappedTag<T, static_cast<std::size_t>(ordered_columns)> d;
  using Vector = hn::Vec<decltype(d)>;
  const auto n = static_cast<std::int64_t>(hn::Lanes(d));
  Vector acc[R * V];
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v) acc[r * V + v] = hn::LoadU(d, out + r * columns + v * n);
  for (std::int64_t k = 0; k < terms; ++k, w += columns) {
    Vector weight[V];
    for (int v = 0; v < V; ++v) weight[v] = hn::LoadU(d, w + v * n);
    for (int r = 0; r < R; ++r) {
      const Vector value = hn::Set(d, x[r * terms + k]);
      for (int v = 0; v < V; ++v) acc[r * V + v] = hn::Add(acc[r * V + v], hn::Mul(value, weight[v]));
    }
  }
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v) hn::StoreU(acc[r * V + v], d, out + r * columns + v * n);
}

template <class T, int V>
HWY_ATTR void ordered_rows(const T* x, std::int64_t rows, std::int64_t terms, const T* w, std::int64_t columns, T* out) {
  for (; rows >= 4; rows -= 4, x += 4 * terms, out += 4 * columns) ordered_tile<T, 4, V>(x, terms, w, columns, out);
  if (rows == 3) ordered_tile<T, 3, V>(x, terms, w, columns, out);
  if (rows == 2) ordered_tile<T, 2, V>(x, terms, w, columns, out);
  if (rows == 1) ordered_tile<T, 1, V>(x, terms, w, columns, out);
}

template <class T>
HWY_ATTR void ordered_all(const T* x, std::int64_t rows, std::int64_t terms, const T* w, std::int64_t columns, T* out) {
  const hn::CappedTag<T, static_cast<std::size_t>(ordered_columns)> d;
  const auto n = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t at = 0;
  for (; at + 4 * n <= columns; at += 4 * n) ordered_rows<T, 4>(x, rows, terms, w + at, columns, out + at);
  for (; at < columns; at += n) ordered_rows<T, 1>(x, rows, terms, w + at, columns, out + at);
}

void ordered_f32(const float* x, std::int64_t rows, std::int64_t terms, const float* w, std::int64_t columns, float* out) { ordered_all(x, rows, terms, w, columns, out); }
void ordered_f64(const double* x, std::int64_t rows, std::int64_t terms, const double* w, std::int64_t columns, double* out) { ordered_all(x, rows, terms, w, columns, out); }

}  // namespace lastbit::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lastbit {

HWY_EXPORT(ordered_f32);
HWY_EXPORT(ordered_f64);

void ordered_sums(const float* x, std::int64_t rows, std::int64_t terms, const float* w, std::int64_t columns, float* out) { HWY_DYNAMIC_DISPATCH(ordered_f32)(x, rows, terms, w, columns, out); }
void ordered_sums(const double* x, std::int64_t rows, std::int64_t terms, const double* w, std::int64_t columns, double* out) { HWY_DYNAMIC_DISPATCH(ordered_f64)(x, rows, terms, w, columns, out); }

}  // namespace lastbit
#endif
