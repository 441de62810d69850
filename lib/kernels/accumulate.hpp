// accumulate.hpp: sums of products over a window, for every convolution, transposed convolution and matrix product.
//
//   acc[n, g*Og + o, p] = sum over taps t and channels c of (x[n, g*Cg + c, source(p, t)] - xz) * (w[g*Og + o, c, t] - wz[o])
//
// One geometry serves all: a linear layer is a window of one tap at one position per row; a transposed convolution differs
// in where a tap reads from. A tap that reads outside contributes 0 (the runtime's padding is the zero point).
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace lastbit {

struct Geometry {
  std::int64_t batch = 1, groups = 1, in_channels = 1, out_channels = 1;  // channels per group: Cg, Og
  std::array<std::int64_t, 3> in{1, 1, 1}, kernel{1, 1, 1}, stride{1, 1, 1}, dilation{1, 1, 1}, begin{0, 0, 0}, out{1, 1, 1};
  bool transposed = false;

  std::int64_t taps() const { return kernel[0] * kernel[1] * kernel[2]; }
  std::int64_t in_positions() const { return in[0] * in[1] * in[2]; }
  std::int64_t positions() const { return out[0] * out[1] * out[2]; }
  std::int64_t terms() const { return taps() * in_channels; }
  /// Input position read along axis a for output position o and tap t, or -1.
  std::int64_t source(int a, std::int64_t o, std::int64_t t) const;
};

/// Where every tap of every output position reads: source[p * taps + t], -1 outside.
std::vector<std::int32_t> sources(const Geometry&);

/// Operands as stored: x [N, g*Cg, in], w [g*Og, Cg, taps] (for transposed convolutions reordered to that by the caller).
struct Operands {
  std::span<const std::int32_t> x, w;
  std::int64_t x_zero_point = 0;
  std::span<const std::int64_t> w_zero_point;  // one, or per output channel
  std::int64_t wz(std::int64_t channel) const { return w_zero_point.empty() ? 0 : w_zero_point.size() == 1 ? w_zero_point[0] : w_zero_point[static_cast<std::size_t>(channel)]; }
};

/// The formula, loop by loop, in int64. The judge of all other kernels. Result [N, g*Og, out].
std::vector<std::int64_t> accumulate_plain(const Geometry&, const Operands&);

/// The same values by the kernels of stream.hpp. `kernel` names what ran.
std::vector<std::int64_t> accumulate(const Geometry&, const Operands&, std::string& kernel);

/// One term of one element, in the order of the terms (taps ascending, channel fastest): f(tap, channel, x - xz, w - wz, outside); x - xz
/// is 0 for a tap outside.
template <class F>
void for_each_product(const Geometry& g, const Operands& in, std::int64_t element, F f) {
  const std::int64_t P = g.positions(), I = g.in_positions(), C = g.in_channels, O = g.groups * g.out_channels, T = g.taps();
  const std::int64_t p = element % P, o = element / P % O, n = element / P / O, group = o / g.out_channels;
  const std::int64_t ow = p % g.out[2], oh = p / g.out[2] % g.out[1], od = p / g.out[2] / g.out[1], wz = in.wz(o);
  for (std::int64_t t = 0; t < T; ++t) {
    const auto d = g.source(0, od, t / (g.kernel[1] * g.kernel[2])), h = g.source(1, oh, t / g.kernel[2] % g.kernel[1]), w = g.source(2, ow, t % g.kernel[2]);
    const bool outside = d < 0 || h < 0 || w < 0;
    const std::int64_t at = outside ? 0 : (d * g.in[1] + h) * g.in[2] + w;
    for (std::int64_t c = 0; c < C; ++c) {
      const std::int64_t x = outside ? 0 : in.x[static_cast<std::size_t>(((n * g.groups + group) * C + c) * I + at)] - in.x_zero_point;
      const std::int64_t weight = in.w[static_cast<std::size_t>((o * C + c) * T + t)] - wz;
      f(t, c, x, weight, outside);
    }
  }
}

/// A run of terms in which consecutive pairs share a 16-bit register: term = tap * Cg + channel.
using Segment = std::vector<std::int32_t>;

/// vpmaddubsw: in every segment the pairs (0,1), (2,3), ... of raw x times w saturate to int16; a last odd one stands alone.
/// Returns what saturation adds to the exact sum, per element: sum of (sat16(p) - p). A tap outside the input holds
/// `outside` as its raw value. x_min..x_max is the range of x (u8, or s8 where a runtime swaps the operands).
std::vector<std::int64_t> pair_excess(const Geometry&, const Operands&, const std::vector<Segment>&, std::int32_t outside,
                                      std::int32_t x_min = 0, std::int32_t x_max = 255);

}  // namespace lastbit
