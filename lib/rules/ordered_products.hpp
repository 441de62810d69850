// ordered_products.hpp: the products of a window added in the order of the terms (taps ascending, channel fastest), in float32 or float64.
#pragma once
#include <algorithm>
#include <vector>

#include <Eigen/Core>

#include "lib/kernels/accumulate.hpp"
#include "lib/kernels/ordered_sums.hpp"

namespace lastbit {

/// f(row, column) over all of both, in squares that stay in the cache: one side is read or written along columns, the other along rows.
template <class F>
void in_squares(std::int64_t rows, std::int64_t columns, F f) {
  constexpr std::int64_t side = 16;
  for (std::int64_t r = 0; r < rows; r += side)
    for (std::int64_t c = 0; c < columns; c += side)
      for (std::int64_t i = r; i < std::min(r + side, rows); ++i)
        for (std::int64_t k = c; k < std::min(c + side, columns); ++k) f(i, k);
}

/// Sums of output elements [N, g*Og, out...]: x(i) is element i of [N, g*Cg, in...], w(channel, c, tap) a weight. Taps outside are left out.
/// Vectors run over output channels alone, so that no host or instruction set changes a bit.
template <class T, class X, class W>
std::vector<T> ordered_products(const Geometry& g, X x_value, W w_value) {
  using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  constexpr std::int64_t block = 64;  // positions whose taps are gathered at once
  const std::int64_t C = g.in_channels, O = g.out_channels, K = g.terms(), taps = g.taps(), channels = g.groups * O;
  // The rows of a matrix product go together as the positions of an image do.
  const bool matrix = g.in_positions() == 1 && g.positions() == 1 && taps == 1 && g.groups == 1 && g.source(0, 0, 0) == 0 && g.source(1, 0, 0) == 0 && g.source(2, 0, 0) == 0;
  const std::int64_t N = matrix ? 1 : g.batch, P = matrix ? g.batch : g.positions(), I = matrix ? g.batch : g.in_positions();
  std::vector<std::int32_t> source;
  if (matrix)
    for (std::int64_t p = 0; p < P; ++p) source.push_back(static_cast<std::int32_t>(p));
  else source = sources(g);
  const auto x_at = [&](std::int64_t n, std::int64_t channel, std::int64_t i) { return matrix ? i * C + channel : (n * g.groups * C + channel) * I + i; };
  const auto y_at = [&](std::int64_t n, std::int64_t channel, std::int64_t p) { return static_cast<std::size_t>(matrix ? p * channels + channel : (n * channels + channel) * P + p); };
  std::vector<T> out(static_cast<std::size_t>(N * channels * P));
  const std::int64_t columns = (O + ordered_columns - 1) / ordered_columns * ordered_columns;
  Matrix w = Matrix::Zero(K, columns), sums(block, columns), gathered(block, K), x(I, C);
  for (std::int64_t group = 0; group < g.groups; ++group) {
    in_squares(C, O, [&](std::int64_t c, std::int64_t o) {
      for (std::int64_t t = 0; t < taps; ++t) w(t * C + c, o) = w_value(group * O + o, c, t);
    });
    for (std::int64_t n = 0; n < N; ++n) {
      in_squares(C, I, [&](std::int64_t c, std::int64_t i) { x(i, c) = x_value(x_at(n, group * C + c, i)); });
      for (std::int64_t first = 0; first < P; first += block) {
        const std::int64_t rows = std::min(block, P - first);
        sums.topRows(rows).setZero();
        // Positions whose window lies inside go together; one that pads adds the taps that it has, in the same order.
        std::int64_t whole = 0;
        const auto flush = [&](std::int64_t end) {
          if (whole) ordered_sums(gathered.data(), whole, K, w.data(), columns, sums.row(end - whole).data());
          whole = 0;
        };
        for (std::int64_t r = 0; r < rows; ++r) {
          const std::int32_t* s = &source[static_cast<std::size_t>((first + r) * taps)];
          if (std::none_of(s, s + taps, [](std::int32_t at) { return at < 0; })) {
            for (std::int64_t t = 0; t < taps; ++t) std::copy_n(x.row(s[t]).data(), C, gathered.row(whole).data() + t * C);
            ++whole;
            continue;
          }
          flush(r);
          for (std::int64_t t = 0; t < taps; ++t)
            if (s[t] >= 0) ordered_sums(x.row(s[t]).data(), 1, C, w.row(t * C).data(), columns, sums.row(r).data());
        }
        flush(rows);
        in_squares(O, rows, [&](std::int64_t o, std::int64_t r) { out[y_at(n, group * O + o, first + r)] = sums(r, o); });
      }
    }
  }
  return out;
}

}  // namespace lastbit
