// stored_plan.hpp: a linear layer or a convolution of 8-bit operands, as it can be judged where its tensors lie.
#pragma once
#include <optional>
#include <vector>

#include "lib/dump/stored.hpp"
#include "lib/kernels/epilogue.hpp"
#include "lib/kernels/stream.hpp"
#include "lib/rules/accumulation.hpp"

namespace lastbit {

/// A layer's tensors and constants, ready to be streamed.
struct StoredPlan {
  StreamRequest request;
  OutputOrder order;
  const std::byte* observed = nullptr;
  bool observed_signed = false;
  std::vector<std::int64_t> w_zero_point;
  std::vector<std::byte> weights;          // when they had to be turned
  RequantizeContext context;
  std::vector<Tensor> held;

  std::int64_t channel_of(std::int64_t at) const { return order.channels_last ? at % order.channels : at / order.positions % order.channels; }
  std::int64_t observed_at(std::int64_t at) const { return integer_of(observed[at], observed_signed); }
  std::int64_t w_zero_point_of(std::int64_t channel) const { return w_zero_point[w_zero_point.size() == 1 ? 0 : static_cast<std::size_t>(channel)]; }
  static std::int64_t integer_of(std::byte b, bool is_signed) {
    const auto v = std::to_integer<std::uint8_t>(b);
    return is_signed ? static_cast<std::int8_t>(v) : v;
  }

  /// f(term, x, w, outside) for every product of output element `at`, taps ascending, channel fastest; x and w as stored, x 0 outside.
  template <class F>
  void for_each_term(std::int64_t at, F f) const {
    for_terms_while(at, [&](std::int64_t term, std::int64_t x, std::int64_t w, bool outside) { return f(term, x, w, outside), true; });
  }
  /// The same until f is false.
  template <class F>
  void for_terms_while(std::int64_t at, F f) const {
    const Geometry& g = request.geometry;
    const StoredOperands& in = request.operands;
    const std::int64_t P = g.positions(), I = g.in_positions(), C = g.in_channels, T = g.taps(), all = g.groups * C, o = channel_of(at);
    const std::int64_t p = order.channels_last ? at / order.channels % P : at % P, n = at / order.channels / P, group = o / g.out_channels;
    const std::int64_t ow = p % g.out[2], oh = p / g.out[2] % g.out[1], od = p / g.out[2] / g.out[1];
    const bool x_signed = info(in.x_dtype).min < 0, w_signed = info(in.w_dtype).min < 0;
    for (std::int64_t t = 0; t < T; ++t) {
      const auto d = g.source(0, od, t / (g.kernel[1] * g.kernel[2])), h = g.source(1, oh, t / g.kernel[2] % g.kernel[1]), across = g.source(2, ow, t % g.kernel[2]);
      const bool outside = d < 0 || h < 0 || across < 0;
      const std::int64_t from = (d * g.in[1] + h) * g.in[2] + across;
      for (std::int64_t c = 0; c < C; ++c) {
        const std::int64_t x = outside ? 0 : integer_of(in.x[in.channels_last ? (n * I + from) * all + group * C + c : (n * all + group * C + c) * I + from], x_signed);
        const std::int64_t w_at = in.w_terms_first ? c * g.out_channels + o : in.w_channels_last ? (o * T + t) * C + c : (o * C + c) * T + t;
        if (!f(t * C + c, x, integer_of(in.w[w_at], w_signed), outside)) return;
      }
    }
  }
};

/// Whether it is linear or a convolution with 8-bit operands, without scales by group.
bool reads_bytes(const Layer&);
/// What requantization needs of its operands: not their values.
AccumulationInput numbers_of(const Layer&, const Geometry&);
/// How many of an axis' taps are inside the input at its output position o.
std::int64_t taps_inside(const Geometry&, int axis, std::int64_t o);
/// An int32 accumulator that nothing but the final sum decides.
bool plain_register(const Cell&);

/// A weight [N, K] of bytes that are stored as [K, N], with those brought into its order.
Tensor turned(const Tensor& weight, const std::byte* stored);

/// None when the layer or its cell is not of the kind: reads_bytes(), plain_register(), a stored output of at most 8 bits and no other. `by_channel`:
/// a channel's weights are asked for, [O, K].
std::optional<StoredPlan> plan_of(const StoredLayer&, const Cell&, bool by_channel);

}  // namespace lastbit
