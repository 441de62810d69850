// cases.hpp: requests for the kernels, random and aimed, and the plain loop's answer.
#pragma once
#include <array>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "lib/error.hpp"
#include "lib/kernels/stream.hpp"
#include "lib/kernels/target.hpp"
#include "tests/support.hpp"

namespace lastbit::test {

struct KernelCase {
  std::string name;
  Geometry g;
  DType x_dtype = DType::uint8, w_dtype = DType::int8;
  std::int64_t x_zero_point = 0;
  std::vector<std::int64_t> w_zero_point{0};
  bool channels_last = false, w_channels_last = false, out_channels_last = false;
  bool extreme = false;  // only the largest and smallest values
  std::vector<std::int32_t> x, w;              // [N, C, I], [O, C, T]
  std::vector<std::byte> x_stored, w_stored;

  StreamRequest request() const {
    StreamRequest r;
    r.geometry = g;
    r.operands = {x_dtype, w_dtype, x_stored.data(), w_stored.data(), channels_last, w_channels_last, x_zero_point, w_zero_point};
    r.channels_last = out_channels_last;
    return r;
  }
  std::vector<std::int64_t> plain() const { return accumulate_plain(g, {x, w, x_zero_point, w_zero_point}); }
};

inline void store(std::vector<std::byte>& to, DType d, std::int64_t at, std::int64_t v) {
  const auto n = static_cast<std::size_t>(stored_bytes(d));
  std::memcpy(to.data() + static_cast<std::size_t>(at) * n, &v, n);  // little-endian
}

/// Fills the operands.
inline KernelCase filled(KernelCase c, Random& random) {
  const auto value = [&](DType d) {
    const auto& i = info(d);
    const std::int64_t low = std::max<std::int64_t>(i.min, -70000), high = std::min<std::int64_t>(i.max, 70000);
    if (c.extreme) return random.below(8) ? high : low;
    return random.below(16) == 0 ? (random.below(2) ? low : high) : random.between(low, high);
  };
  const Geometry& g = c.g;
  const std::int64_t C = g.in_channels, all = g.groups * C, I = g.in_positions(), O = g.groups * g.out_channels, T = g.taps();
  c.x.resize(static_cast<std::size_t>(g.batch * all * I));
  c.w.resize(static_cast<std::size_t>(O * C * T));
  c.x_stored.resize(c.x.size() * static_cast<std::size_t>(stored_bytes(c.x_dtype)));
  c.w_stored.resize(c.w.size() * static_cast<std::size_t>(stored_bytes(c.w_dtype)));
  for (std::int64_t n = 0; n < g.batch; ++n)
    for (std::int64_t k = 0; k < all; ++k)
      for (std::int64_t i = 0; i < I; ++i) {
        const auto v = value(c.x_dtype);
        c.x[static_cast<std::size_t>((n * all + k) * I + i)] = static_cast<std::int32_t>(v);
        store(c.x_stored, c.x_dtype, c.channels_last ? (n * I + i) * all + k : (n * all + k) * I + i, v);
      }
  for (std::int64_t o = 0; o < O; ++o)
    for (std::int64_t k = 0; k < C; ++k)
      for (std::int64_t t = 0; t < T; ++t) {
        const auto v = value(c.w_dtype);
        c.w[static_cast<std::size_t>((o * C + k) * T + t)] = static_cast<std::int32_t>(v);
        store(c.w_stored, c.w_dtype, c.w_channels_last ? (o * T + t) * C + k : (o * C + k) * T + t, v);
      }
  return c;
}

/// The terms (x, w) of one element, zero points off, taps ascending, channel fastest; those outside are left out. source: of sources().
inline std::vector<std::pair<std::int64_t, std::int64_t>> terms_of(const KernelCase& c, const std::vector<std::int32_t>& source, std::int64_t n, std::int64_t o, std::int64_t p) {
  const Geometry& g = c.g;
  const std::int64_t C = g.in_channels, I = g.in_positions(), T = g.taps(), group = o / g.out_channels;
  const std::int64_t w_zero = c.w_zero_point[c.w_zero_point.size() == 1 ? 0 : static_cast<std::size_t>(o)];
  std::vector<std::pair<std::int64_t, std::int64_t>> terms;
  for (std::int64_t t = 0; t < T; ++t) {
    const std::int32_t from = source[static_cast<std::size_t>(p * T + t)];
    for (std::int64_t k = 0; from >= 0 && k < C; ++k)
      terms.emplace_back(c.x[static_cast<std::size_t>((n * g.groups * C + group * C + k) * I + from)] - c.x_zero_point, c.w[static_cast<std::size_t>((o * C + k) * T + t)] - w_zero);
  }
  return terms;
}

/// No better instruction set than this one, as long as it lives.
struct Limit {
  explicit Limit(const std::string& target) { ensure(limit_target(target), target.c_str()); }
  ~Limit() { limit_target(""); }
};

inline Geometry window(std::int64_t batch, std::int64_t groups, std::int64_t in_channels, std::int64_t out_channels, std::array<std::int64_t, 3> in, std::array<std::int64_t, 3> kernel,
                std::array<std::int64_t, 3> stride, std::array<std::int64_t, 3> dilation, std::array<std::int64_t, 3> padding, bool transposed) {
  Geometry g;
  g.batch = batch, g.groups = groups, g.in_channels = in_channels, g.out_channels = out_channels;
  g.in = in, g.kernel = kernel, g.stride = stride, g.dilation = dilation, g.begin = padding, g.transposed = transposed;
  for (std::size_t a = 0; a < 3; ++a) {
    const std::int64_t reach = dilation[a] * (kernel[a] - 1) + 1;
    g.out[a] = transposed ? (in[a] - 1) * stride[a] - 2 * padding[a] + reach : (in[a] + 2 * padding[a] - reach) / stride[a] + 1;
  }
  return g;
}

/// A window of any kind, of any types.
inline KernelCase random_case(Random& r) {
  static const DType x_types[] = {DType::uint8, DType::uint8, DType::int8, DType::int16, DType::uint16, DType::uint4, DType::int2}, w_types[] = {DType::int8, DType::int8, DType::uint8, DType::int4, DType::uint2, DType::int16};
  for (;;) {
    KernelCase c;
    const int dims = static_cast<int>(r.between(0, 3));
    std::array<std::int64_t, 3> in{1, 1, 1}, kernel{1, 1, 1}, stride{1, 1, 1}, dilation{1, 1, 1}, padding{0, 0, 0};
    for (int a = 3 - dims; a < 3; ++a) {
      const auto i = static_cast<std::size_t>(a);
      in[i] = r.between(1, dims == 3 ? 5 : dims == 2 ? 12 : 70);
      kernel[i] = r.below(3) ? r.between(1, 4) : r.between(1, 7);
      stride[i] = r.between(1, 3);
      dilation[i] = r.below(3) ? 1 : r.between(1, 3);
      padding[i] = r.between(0, 3);
    }
    const bool depthwise = r.below(4) == 0;
    const std::int64_t groups = depthwise ? r.between(1, 40) : r.below(3) ? 1 : r.between(1, 4);
    const auto channels = [&] { return r.below(3) ? r.between(1, 9) : r.between(1, 150); };
    const std::int64_t batch = dims == 0 ? (r.below(2) ? r.between(1, 5) : r.between(1, 100)) : r.between(1, 2);
    c.g = window(batch, groups, depthwise ? 1 : channels(), depthwise ? r.between(1, 2) : channels(), in, kernel, stride, dilation, padding, dims > 0 && r.below(4) == 0);
    bool fits = true;
    for (std::size_t a = 0; a < 3; ++a) fits = fits && c.g.out[a] > 0;
    if (!fits || c.g.positions() * c.g.terms() * c.g.groups * c.g.out_channels * batch > 2'000'000) continue;
    c.x_dtype = x_types[r.below(std::size(x_types))];
    c.w_dtype = w_types[r.below(std::size(w_types))];
    const auto& range = info(c.x_dtype);
    c.x_zero_point = r.below(4) == 0 ? 0 : r.below(8) == 0 ? r.between(-300, 300) : r.between(range.min, range.max);
    const auto& weights = info(c.w_dtype);
    if (r.below(3) == 0)
      for (std::int64_t o = 0; o < groups * c.g.out_channels; ++o) c.w_zero_point.push_back(r.between(weights.min, weights.max));
    if (c.w_zero_point.size() > 1) c.w_zero_point.pop_back();
    else if (r.below(2)) c.w_zero_point = {r.between(weights.min, weights.max)};
    else if (r.below(4) == 0) c.w_zero_point.clear();
    c.channels_last = r.below(3) == 0;
    c.w_channels_last = r.below(3) == 0;
    c.out_channels_last = r.below(3) == 0;
    c.extreme = r.below(5) == 0;
    return c;
  }
}

/// Every element that the stream hands out, each exactly once; an element given twice or never is a failure of the caller's check.
struct Streamed {
  std::vector<std::int64_t> acc;   // [N, O, P]
  std::vector<int> times;
  std::string kernel;
  bool wide = false;
};
inline Streamed streamed(const KernelCase& c) {
  const Geometry& g = c.g;
  const std::int64_t O = g.groups * g.out_channels, P = g.positions(), n = g.batch * O * P;
  Streamed s;
  s.acc.resize(static_cast<std::size_t>(n));
  s.times.resize(static_cast<std::size_t>(n));
  StreamRequest request = c.request();
  request.by_position = true;
  s.kernel = stream_sums(request, [&](SumBlock b) {
    if (b.by_position && b.acc) throw std::logic_error("a block came in both orders");
    turn_sums(b);
    s.wide = s.wide || b.wide;
    for (std::int64_t r = 0; r < b.runs; ++r)
      for (std::int64_t i = 0; i < b.length; ++i) {
        std::int64_t at = b.first + r * b.step + i;
        if (c.out_channels_last) at = (at / (O * P) * O + at % O) * P + at / O % P;  // [N, P, O] to [N, O, P]
        s.acc.at(static_cast<std::size_t>(at)) = b.wide ? b.wide[r * b.acc_step + i] : b.acc[r * b.acc_step + i];
        ++s.times[static_cast<std::size_t>(at)];
      }
  });
  return s;
}

}  // namespace lastbit::test
