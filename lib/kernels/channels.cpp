// channels.cpp: depthwise convolutions with channels side by side. See depthwise.hpp.
#include <algorithm>
#include <chrono>
#include <cstring>

#include "lib/kernels/depthwise.hpp"
#include "lib/kernels/depthwise_dots.hpp"
#include "lib/kernels/layout.hpp"
#include "lib/kernels/tiling.hpp"

namespace lastbit {

bool channels_take(const StreamRequest& r, const OperandRange& range) {
  const Geometry& g = r.geometry;
  if (g.in_channels != 1 || g.out_channels != 1 || g.groups < 4) return false;
  StreamRequest all = r;
  all.geometry.in_channels = all.geometry.out_channels = g.groups;
  all.geometry.groups = 1;
  return tiles_take(all, range, Kind::words) && (range.x_size * range.w_size == 0 || g.taps() <= int32_max / (range.x_size * range.w_size));
}

void channel_sums(const StreamRequest& original, const std::function<void(const SumBlock&)>& sink, double& pack_seconds) {
  const auto began = std::chrono::steady_clock::now();
  StreamRequest request = original;
  Geometry& g = request.geometry;
  const std::int64_t C = g.groups, T = g.taps(), width = 2 * kernel_target().lanes, padded = (C + width - 1) / width * width;
  g.in_channels = g.out_channels = C;  // for the layout: every channel of a position
  g.groups = 1;
  Tiling t(request, Kind::words, padded, false, false, sink);
  const StoredOperands& in = request.operands;
  std::vector<std::vector<std::int64_t>> offsets(t.taps.size());
  std::vector<std::vector<std::int16_t>> weights(t.taps.size());
  for (std::size_t p = 0; p < t.taps.size(); ++p) {
    const std::size_t count = (t.taps[p].size() + 1) / 2 * 2;
    weights[p].assign(count * static_cast<std::size_t>(padded), 0);
    for (std::size_t k = 0; k < count; ++k) {
      const AxisTap& tap = t.taps[p][std::min(k, t.taps[p].size() - 1)];
      offsets[p].push_back(tap.offset * t.pixel_bytes);
      if (k == t.taps[p].size()) break;  // repeated, its weights 0
      for (std::int64_t c = 0; c < C; ++c) {
        weights[p][k * static_cast<std::size_t>(padded) + static_cast<std::size_t>(c)] = static_cast<std::int16_t>(stored_value(in.w_dtype, in.w, c * T + tap.tap) - in.w_zero_point_of(c));
      }
    }
  }
  pack_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  for (std::int64_t n = 0; n < g.batch; ++n) {
    auto* x = t.memory.x.get<std::byte>(t.image_bytes);
    t.lay(n, 0, x);
    for (std::size_t b = 0; b + 1 < t.blocks.first.size(); ++b) {
      const std::int64_t position = t.blocks.first[b], pixels = t.blocks.first[b + 1] - position;
      auto* sums = t.memory.sums.get<std::int32_t>(pixels * padded);
      for (std::int64_t part = t.blocks.part_begin[b]; part < t.blocks.part_begin[b + 1]; ++part) {
        const auto& run = t.blocks.parts[static_cast<std::size_t>(part)];
        const auto p = static_cast<std::size_t>(run.kind);
        ChannelJob job;
        job.x = x;
        job.pixels = &t.blocks.offsets[static_cast<std::size_t>(run.begin)];
        job.rows = &t.blocks.rows[static_cast<std::size_t>(run.begin)];
        job.count = run.count;
        job.taps = offsets[p].data();
        job.tap_count = static_cast<std::int64_t>(offsets[p].size());
        job.w = weights[p].data();
        job.channels = padded;
        job.out = sums;
        channel_products(job);
      }
      t.hand_out(sums, nullptr, padded, n, 0, C, position, pixels);
    }
  }
}

}  // namespace lastbit
