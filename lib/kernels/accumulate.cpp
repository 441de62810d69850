// accumulate.cpp: the plain loop, and all sums at once. See accumulate.hpp.
#include "lib/kernels/accumulate.hpp"

#include <algorithm>
#include <utility>

#include "lib/kernels/stream.hpp"

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
  // By axis first: [out * kernel].
  std::array<std::vector<std::int64_t>, 3> at;
  for (std::size_t a = 0; a < 3; ++a)
    for (std::int64_t o = 0; o < g.out[a]; ++o)
      for (std::int64_t k = 0; k < g.kernel[a]; ++k) at[a].push_back(g.source(static_cast<int>(a), o, k));
  std::vector<std::int32_t> all(static_cast<std::size_t>(g.positions() * g.taps()));
  std::int32_t* to = all.data();
  for (std::int64_t d = 0; d < g.out[0]; ++d)
    for (std::int64_t h = 0; h < g.out[1]; ++h)
      for (std::int64_t w = 0; w < g.out[2]; ++w)
        for (std::int64_t kd = 0; kd < g.kernel[0]; ++kd)
          for (std::int64_t kh = 0; kh < g.kernel[1]; ++kh) {
            const std::int64_t sd = at[0][static_cast<std::size_t>(d * g.kernel[0] + kd)], sh = at[1][static_cast<std::size_t>(h * g.kernel[1] + kh)];
            const std::int64_t row = (sd * g.in[1] + sh) * g.in[2];
            const std::int64_t* across = &at[2][static_cast<std::size_t>(w * g.kernel[2])];
            for (std::int64_t kw = 0; kw < g.kernel[2]; ++kw) *to++ = static_cast<std::int32_t>(sd < 0 || sh < 0 || across[kw] < 0 ? -1 : row + across[kw]);
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

/// Values in the narrowest type that holds them all.
std::pair<DType, std::vector<std::byte>> narrowed(std::span<const std::int32_t> v) {
  std::int32_t low = 0, high = 0;
  for (const auto i : v) low = std::min(low, i), high = std::max(high, i);
  std::vector<std::byte> bytes;
  const auto as = [&](auto type) {
    using T = decltype(type);
    bytes.resize(v.size() * sizeof(T));
    auto* to = reinterpret_cast<T*>(bytes.data());
    for (std::size_t i = 0; i < v.size(); ++i) to[i] = static_cast<T>(v[i]);
  };
  if (low >= 0 && high <= 255) return as(std::uint8_t{}), std::pair{DType::uint8, std::move(bytes)};
  if (low >= -128 && high <= 127) return as(std::int8_t{}), std::pair{DType::int8, std::move(bytes)};
  if (low >= -32768 && high <= 32767) return as(std::int16_t{}), std::pair{DType::int16, std::move(bytes)};
  return as(std::int32_t{}), std::pair{DType::int32, std::move(bytes)};
}

}  // namespace

std::vector<std::int64_t> accumulate(const Geometry& g, const Operands& in, std::string& kernel) {
  const auto [x_dtype, x] = narrowed(in.x);
  const auto [w_dtype, w] = narrowed(in.w);
  StreamRequest request;
  request.geometry = g;
  request.operands = {x_dtype, w_dtype, x.data(), w.data(), false, false, in.x_zero_point, in.w_zero_point};
  std::vector<std::int64_t> acc(static_cast<std::size_t>(g.batch * g.groups * g.out_channels * g.positions()));
  kernel = stream_sums(request, [&](const SumBlock& b) {
    for (std::int64_t r = 0; r < b.runs; ++r) {
      auto* to = acc.data() + b.first + r * b.step;
      if (b.acc) std::copy_n(b.acc + r * b.acc_step, b.length, to);
      else std::copy_n(b.wide + r * b.acc_step, b.length, to);
    }
  });
  return acc;
}

}  // namespace lastbit
