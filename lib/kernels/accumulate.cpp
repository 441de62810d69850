// accumulate.cpp: the plain loop, and the int16 kernel it judges. See accumulate.hpp.
#include "lib/kernels/accumulate.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "lib/error.hpp"
#include "lib/num/int.hpp"

#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
#define LASTBIT_CLONES __attribute__((target_clones("arch=skylake-avx512", "avx2", "default")))
#else
#define LASTBIT_CLONES
#endif

namespace lastbit {

std::int64_t Geometry::source(int a, std::int64_t o, std::int64_t t) const {
  const auto i = static_cast<std::size_t>(a);
  std::int64_t at = transposed ? o + begin[i] - t * dilation[i] : o * stride[i] - begin[i] + t * dilation[i];
  if (transposed) {
    if (at < 0 || at % stride[i]) return -1;
    at /= stride[i];
  }
  return at >= 0 && at < in[i] ? at : -1;
}

std::vector<std::int32_t> sources(const Geometry& g) {
  std::vector<std::int32_t> all;
  all.reserve(static_cast<std::size_t>(g.positions() * g.taps()));
  for (std::int64_t d = 0; d < g.out[0]; ++d)
    for (std::int64_t h = 0; h < g.out[1]; ++h)
      for (std::int64_t w = 0; w < g.out[2]; ++w)
        for (std::int64_t kd = 0; kd < g.kernel[0]; ++kd)
          for (std::int64_t kh = 0; kh < g.kernel[1]; ++kh)
            for (std::int64_t kw = 0; kw < g.kernel[2]; ++kw) {
              const auto sd = g.source(0, d, kd), sh = g.source(1, h, kh), sw = g.source(2, w, kw);
              all.push_back(sd < 0 || sh < 0 || sw < 0 ? -1 : static_cast<std::int32_t>((sd * g.in[1] + sh) * g.in[2] + sw));
            }
  return all;
}

std::vector<std::int64_t> accumulate_plain(const Geometry& g, const Operands& in) {
  const auto source = sources(g);
  const std::int64_t P = g.positions(), T = g.taps(), I = g.in_positions(), C = g.in_channels, O = g.out_channels;
  std::vector<std::int64_t> acc(static_cast<std::size_t>(g.batch * g.groups * O * P));
  for (std::int64_t n = 0; n < g.batch; ++n)
    for (std::int64_t o = 0; o < g.groups * O; ++o)
      for (std::int64_t p = 0; p < P; ++p) {
        std::int64_t sum = 0;
        const std::int64_t wz = in.wz(o);
        for (std::int64_t c = 0; c < C; ++c)
          for (std::int64_t t = 0; t < T; ++t) {
            const std::int64_t s = source[static_cast<std::size_t>(p * T + t)];
            if (s < 0) continue;
            const std::int64_t x = in.x[static_cast<std::size_t>(((n * g.groups + o / O) * C + c) * I + s)] - in.x_zero_point;
            sum += x * (in.w[static_cast<std::size_t>((o * C + c) * T + t)] - wz);
          }
        acc[static_cast<std::size_t>((n * g.groups * O + o) * P + p)] = sum;
      }
  return acc;
}

namespace {

constexpr std::int64_t tile = 4;  // pixels, and channels, at once

/// sums[p][o] = sum over k of a[p][k] * b[o][k]; rows `stride` apart, k a multiple of 32 (zero-padded).
LASTBIT_CLONES void products(const std::int16_t* a, const std::int16_t* b, std::int64_t stride, std::int64_t k, std::int32_t* sums) {
  for (int p = 0; p < tile; ++p) {
    const std::int16_t* x = a + p * stride;
    std::int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    const std::int16_t *w0 = b, *w1 = b + stride, *w2 = b + 2 * stride, *w3 = b + 3 * stride;
    for (std::int64_t i = 0; i < k; ++i) {
      s0 += x[i] * w0[i];
      s1 += x[i] * w1[i];
      s2 += x[i] * w2[i];
      s3 += x[i] * w3[i];
    }
    sums[p * tile] = s0;
    sums[p * tile + 1] = s1;
    sums[p * tile + 2] = s2;
    sums[p * tile + 3] = s3;
  }
}

std::int64_t largest(std::span<const std::int32_t> v, std::int64_t zero_low, std::int64_t zero_high) {
  if (v.empty()) return 0;
  const auto [lo, hi] = std::minmax_element(v.begin(), v.end());
  return std::max(std::abs(*hi - zero_low), std::abs(*lo - zero_high));
}

}  // namespace

std::vector<std::int64_t> accumulate(const Geometry& g, const Operands& in, std::string& kernel) {
  const std::int64_t P = g.positions(), T = g.taps(), I = g.in_positions(), C = g.in_channels, O = g.out_channels, K = g.terms();
  std::int64_t wz_low = 0, wz_high = 0;
  if (!in.w_zero_point.empty()) {
    const auto [lo, hi] = std::minmax_element(in.w_zero_point.begin(), in.w_zero_point.end());
    wz_low = *lo, wz_high = *hi;
  }
  const std::int64_t x_size = largest(in.x, in.x_zero_point, in.x_zero_point), w_size = largest(in.w, wz_low, wz_high);
  if (x_size > 32767 || w_size > 32767 || K == 0 || P == 0) return kernel = "plain", accumulate_plain(g, in);
  kernel = "int16";
  // int32 is exact for this many terms; beyond it partial sums go to int64.
  const std::int64_t safe = x_size * w_size == 0 ? K : std::numeric_limits<std::int32_t>::max() / (x_size * w_size);
  const std::int64_t step = std::min<std::int64_t>((K + 31) / 32 * 32, std::max<std::int64_t>(safe / 32 * 32, 32));
  if (safe < 32) return kernel = "plain", accumulate_plain(g, in);
  const std::int64_t stride = (K + step - 1) / step * step;

  const auto source = sources(g);
  std::vector<std::int64_t> acc(static_cast<std::size_t>(g.batch * g.groups * O * P));
  std::vector<std::int16_t> weights(static_cast<std::size_t>((O + tile - 1) / tile * tile * stride)), nhwc(static_cast<std::size_t>(I * C)),
      patch(static_cast<std::size_t>(tile * stride));
  for (std::int64_t group = 0; group < g.groups; ++group) {
    for (std::int64_t o = 0; o < O; ++o)
      for (std::int64_t c = 0; c < C; ++c)
        for (std::int64_t t = 0; t < T; ++t)
          weights[static_cast<std::size_t>(o * stride + t * C + c)] = static_cast<std::int16_t>(in.w[static_cast<std::size_t>(((group * O + o) * C + c) * T + t)] - in.wz(group * O + o));
    for (std::int64_t n = 0; n < g.batch; ++n) {
      const std::int32_t* x = in.x.data() + (n * g.groups + group) * C * I;
      for (std::int64_t c = 0; c < C; ++c)
        for (std::int64_t i = 0; i < I; ++i) nhwc[static_cast<std::size_t>(i * C + c)] = static_cast<std::int16_t>(x[c * I + i] - in.x_zero_point);
      for (std::int64_t p = 0; p < P; p += tile) {
        const std::int64_t rows = std::min(tile, P - p);
        for (std::int64_t r = 0; r < rows; ++r)
          for (std::int64_t t = 0; t < T; ++t) {
            const std::int64_t s = source[static_cast<std::size_t>((p + r) * T + t)];
            std::int16_t* to = &patch[static_cast<std::size_t>(r * stride + t * C)];
            if (s < 0) std::fill_n(to, C, std::int16_t{0});
            else std::memcpy(to, &nhwc[static_cast<std::size_t>(s * C)], static_cast<std::size_t>(C) * sizeof(std::int16_t));
          }
        for (std::int64_t o = 0; o < O; o += tile) {
          std::int64_t sums[tile * tile] = {};
          for (std::int64_t k = 0; k < stride; k += step) {
            std::int32_t part[tile * tile];
            products(patch.data() + k, weights.data() + o * stride + k, stride, step, part);
            for (int i = 0; i < tile * tile; ++i) sums[i] += part[i];
          }
          for (std::int64_t r = 0; r < rows; ++r)
            for (std::int64_t j = 0; j < std::min(tile, O - o); ++j)
              acc[static_cast<std::size_t>(((n * g.groups + group) * O + o + j) * P + p + r)] = sums[r * tile + j];
        }
      }
    }
  }
  return acc;
}

std::vector<std::int64_t> pair_excess(const Geometry& g, const Operands& in, const std::vector<Segment>& segments, std::int32_t outside,
                                      std::int32_t x_min, std::int32_t x_max) {
  const auto source = sources(g);
  const std::int64_t P = g.positions(), T = g.taps(), I = g.in_positions(), C = g.in_channels, O = g.out_channels;
  std::vector<std::int64_t> excess(static_cast<std::size_t>(g.batch * g.groups * O * P));
  struct Pair { std::int32_t first, second; };
  std::vector<Pair> pairs;
  for (const auto& s : segments)
    for (std::size_t i = 0; i + 1 < s.size(); i += 2) pairs.push_back({s[i], s[i + 1]});
  const auto weight = [&](std::int64_t o, std::int32_t term) { return in.w[static_cast<std::size_t>((o * C + term % C) * T + term / C)]; };
  std::vector<std::int32_t> raw(static_cast<std::size_t>(T * C));
  struct Candidate { std::int32_t first, second, w0, w1; };
  std::vector<std::vector<Candidate>> candidates(static_cast<std::size_t>(g.groups * O));
  for (std::int64_t o = 0; o < g.groups * O; ++o)
    for (const auto& pair : pairs) {
      const auto w0 = weight(o, pair.first), w1 = weight(o, pair.second);
      const auto high = std::max(w0 * x_min, w0 * x_max) + std::max(w1 * x_min, w1 * x_max);
      const auto low = std::min(w0 * x_min, w0 * x_max) + std::min(w1 * x_min, w1 * x_max);
      if (high > 32767 || low < -32768) candidates[static_cast<std::size_t>(o)].push_back({pair.first, pair.second, w0, w1});
    }
  for (std::int64_t n = 0; n < g.batch; ++n)
    for (std::int64_t group = 0; group < g.groups; ++group)
      for (std::int64_t p = 0; p < P; ++p) {
        for (std::int64_t t = 0; t < T; ++t) {
          const std::int64_t s = source[static_cast<std::size_t>(p * T + t)];
          for (std::int64_t c = 0; c < C; ++c)
            raw[static_cast<std::size_t>(t * C + c)] = s < 0 ? outside : in.x[static_cast<std::size_t>(((n * g.groups + group) * C + c) * I + s)];
        }
        for (std::int64_t o = group * O; o < (group + 1) * O; ++o) {
          std::int64_t sum = 0;
          for (const auto& c : candidates[static_cast<std::size_t>(o)]) {
            const std::int32_t product = raw[static_cast<std::size_t>(c.first)] * c.w0 + raw[static_cast<std::size_t>(c.second)] * c.w1;
            sum += saturate16(product) - product;
          }
          excess[static_cast<std::size_t>((n * g.groups * O + o) * P + p)] = sum;
        }
      }
  return excess;
}

}  // namespace lastbit
