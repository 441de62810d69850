// quads.cpp: depthwise convolutions of bytes stored channels last. See depthwise.hpp.
//
// A quad is the dword of a channel's x at four taps of a kernel row: the one of the next position is the same one, a byte moved out and one
// in. Input rows become rows of quads once and are kept while the window passes; every output then takes one dot product a kernel row.
#include <algorithm>
#include <cstring>
#include <vector>

#include "lib/kernels/depthwise.hpp"
#include "lib/kernels/depthwise_dots.hpp"
#include "lib/kernels/layout.hpp"
#include "lib/kernels/window_plan.hpp"
#include "lib/tensor/scratch.hpp"

namespace lastbit {
namespace {

/// Weights by kernel row, quad and channel; what the sums begin with; what the notes say of channels.
struct QuadWeights {
  std::vector<std::int32_t> w, start;
  QuadWeights(const StreamRequest& r, std::int64_t padded, std::int64_t quads, std::int64_t x_zero, StreamNotes& notes) {
    const auto channels = static_cast<std::size_t>(r.geometry.groups);
    w.assign(static_cast<std::size_t>(r.geometry.kernel[1] * quads * padded), 0);
    start.assign(static_cast<std::size_t>(padded), 0);
    notes.w_sum.assign(channels, 0), notes.w_size.assign(channels, 0);
    if (is_signed(r.operands.w_dtype)) pack<std::int8_t>(r, padded, quads, 0, notes);
    else pack<std::uint8_t>(r, padded, quads, 128, notes);  // weights_fit_bytes()
    for (std::size_t c = 0; c < channels; ++c) start[c] = static_cast<std::int32_t>(-x_zero * notes.w_sum[c]);
  }

 private:
  template <class W>
  void pack(const StreamRequest& r, std::int64_t padded, std::int64_t quads, std::int32_t zero_point, StreamNotes& notes) {
    const std::int64_t KH = r.geometry.kernel[1], KW = r.geometry.kernel[2];
    const auto* taps = reinterpret_cast<const W*>(r.operands.w);
    for (std::int64_t kh = 0; kh < KH; ++kh)
      for (std::int64_t q = 0; q < quads; ++q) {
        std::int32_t* dwords = w.data() + (kh * quads + q) * padded;
        const std::int64_t from = kh * KW + 4 * q, count = std::min<std::int64_t>(4, KW - 4 * q);
        for (std::int64_t c = 0; c < r.geometry.groups; ++c) {
          const W* at = taps + c * KH * KW + from;
          std::uint32_t dword = 0;
          std::int32_t sum = 0, size = 0;
          for (std::int64_t k = 0; k < count; ++k) {
            const std::int32_t v = std::int32_t{at[k]} - zero_point;
            dword |= (static_cast<std::uint32_t>(v) & 0xFF) << (8 * k);
            sum += v, size += v < 0 ? -v : v;
          }
          dwords[c] = static_cast<std::int32_t>(dword);
          notes.w_sum[static_cast<std::size_t>(c)] += sum, notes.w_size[static_cast<std::size_t>(c)] += size;
        }
      }
  }
};

}  // namespace

bool quads_take(const StreamRequest& r, const OperandRange& range) {
  const Geometry& g = r.geometry;
  const StoredOperands& in = r.operands;
  if (g.in_channels != 1 || g.out_channels != 1 || g.groups < 16 || g.transposed || !in.channels_last || !r.channels_last) return false;
  return g.in[0] == 1 && g.out[0] == 1 && g.kernel[0] == 1 && g.begin[0] == 0 && g.taps() <= 4096 && tiles_take(r, range, Kind::bytes) && weights_fit_bytes(in);
}

void quad_sums(const StreamRequest& r, const std::function<void(const SumBlock&)>& sink, StreamNotes& notes) {
  thread_local Scratch rows, sums;
  const Geometry& g = r.geometry;
  const StoredOperands& in = r.operands;
  const WindowPlan plan = window_plan(g);
  const std::int64_t C = g.groups, lanes = kernel_target().lanes, padded = (C + lanes - 1) / lanes * lanes, KH = g.kernel[1], quads = (g.kernel[2] + 3) / 4, OW = g.out[2], P = g.positions();
  const std::int64_t x_zero = in.x_zero_point + (is_signed(in.x_dtype) ? 128 : 0), span = (KH - 1) * g.dilation[1] + 1, row_dwords = plan.padded[2] * padded;
  const QuadWeights weights(r, padded, quads, x_zero, notes);
  auto* memory = rows.get<std::int32_t>(span * row_dwords);
  auto* acc = sums.get<std::int32_t>(OW * padded);
  std::vector<std::int64_t> held(static_cast<std::size_t>(span));  // the padded row that each place has
  std::vector<std::int64_t> taps(static_cast<std::size_t>(KH * quads));
  QuadRow row;
  row.channels = C;
  row.padded_channels = padded;
  row.flip = is_signed(in.x_dtype);
  row.zero = static_cast<std::uint8_t>(x_zero);
  row.before = plan.axis[2].before;
  row.positions = g.in[2];
  row.dilation = g.dilation[2];
  row.quads = plan.padded[2];
  QuadJob job;
  job.quads = memory;
  job.taps = taps.data();
  job.tap_count = static_cast<std::int64_t>(taps.size());
  job.w = weights.w.data();
  job.start = weights.start.data();
  job.channels = padded;
  job.outputs = OW;
  job.step = g.stride[2] * padded;
  job.out = acc;
  for (std::int64_t n = 0; n < g.batch; ++n) {
    std::fill(held.begin(), held.end(), -1);
    for (std::int64_t oh = 0; oh < g.out[1]; ++oh) {
      const std::int64_t base = plan.axis[1].base[static_cast<std::size_t>(oh)];
      for (std::int64_t kh = 0; kh < KH; ++kh) {
        const std::int64_t wanted = base + kh * g.dilation[1], h = wanted - plan.axis[1].before, place = wanted % span;
        if (held[static_cast<std::size_t>(place)] != wanted) {
          held[static_cast<std::size_t>(place)] = wanted;
          row.x = h < 0 || h >= g.in[1] ? nullptr : in.x + (n * g.in[1] + h) * g.in[2] * C;
          row.end = in.x + g.batch * g.in_positions() * C;
          row.to = memory + place * row_dwords;
          lay_quads(row);
        }
        for (std::int64_t q = 0; q < quads; ++q) taps[static_cast<std::size_t>(kh * quads + q)] = place * row_dwords + (plan.axis[2].base[0] + 4 * q * g.dilation[2]) * padded;
      }
      quad_products(job);
      SumBlock block;
      block.first = (n * P + oh * OW) * C;
      block.runs = OW;
      block.step = block.length = C;
      block.acc_step = padded;
      block.acc = acc;
      sink(block);
    }
  }
}

}  // namespace lastbit
