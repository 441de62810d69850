// cases.hpp: requests for the kernels, random and aimed, and the plain loop's answer.
#pragma once
#include <cstring>
#include <string>
#include <vector>

#include "lib/kernels/stream.hpp"
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
  s.kernel = stream_sums(c.request(), [&](const SumBlock& b) {
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
