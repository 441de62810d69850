// float_tiles.cpp: see float_tiles.hpp.
#include "lib/kernels/float_tiles.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "lib/kernels/float_tile.hpp"
#include "lib/kernels/layout.hpp"
#include "lib/kernels/pack.hpp"
#include "lib/kernels/tiling.hpp"

namespace lastbit {
namespace {

constexpr std::int64_t block_pixels = 96, chunk = 1152;  // sums of a block are 24 KiB; weights of a chunk 288 KiB

template <class T>
T of(std::span<const T> v, std::int64_t channel, T otherwise) {
  return v.empty() ? otherwise : v[v.size() == 1 ? 0 : static_cast<std::size_t>(channel)];
}

/// What follows the sums of one pixel.
class Finish {
 public:
  Finish(const FloatTiles& job, const StreamRequest& r) : job_(job), channels_(r.geometry.groups * r.geometry.out_channels), positions_(r.geometry.positions()), last_(r.channels_last) {}
  void operator()(const float* sums, std::int64_t n, std::int64_t position, std::int64_t channel, std::int64_t count) {
    const FloatFinish f{job_.bias.data() + channel, job_.scale, job_.zero_point, job_.low, job_.high, job_.observed_signed};
    if (last_) return compare_float_sums(f, sums, count, job_.observed + (n * positions_ + position) * channels_ + channel, totals.mismatches, totals.max_lsb);
    std::array<std::byte, float_columns> row;
    const std::byte* from = job_.observed + (n * channels_ + channel) * positions_ + position;
    for (std::int64_t c = 0; c < count; ++c) row[static_cast<std::size_t>(c)] = from[c * positions_];
    compare_float_sums(f, sums, count, row.data(), totals.mismatches, totals.max_lsb);
  }
  FloatTotals totals;

 private:
  const FloatTiles& job_;
  std::int64_t channels_, positions_;
  bool last_;
};

/// A block of output channels' weights as numbers: [terms][float_columns].
class Weights {
 public:
  Weights(const FloatTiles& job, const Tiling& t) : job_(job), t_(t) {}
  const float* block(std::int64_t channel, std::int64_t count) {
    const StoredOperands& in = t_.in;
    PackJob pack;
    pack.kind = Kind::bytes;
    pack.dtype = in.w_dtype;
    pack.w = in.w;
    pack.elements = t_.g.groups * t_.g.out_channels * t_.g.terms();
    pack.channels_last = in.w_channels_last;
    pack.first = channel;
    pack.count = count;
    pack.in_channels = t_.g.in_channels;
    pack.padded_in_channels = t_.padded_channels;
    pack.taps = t_.g.taps();
    pack.zero_point = in.w_zero_point;
    pack.width = float_columns;
    pack.phases.emplace_back();
    for (const auto& tap : t_.taps[0]) pack.phases[0].push_back(tap.tap);
    auto* packed = t_.memory.w.get<std::byte>(packed_bytes(pack));
    const auto phase = pack_weights(pack, packed, t_.memory.rows)[0];
    std::array<std::int32_t, float_columns> zero{};
    std::array<float, float_columns> scale{};
    for (std::int64_t c = 0; c < count; ++c) {
      zero[static_cast<std::size_t>(c)] = static_cast<std::int32_t>(of<std::int64_t>(in.w_zero_point, channel + c, 0) - (is_signed(in.w_dtype) ? 0 : 128));
      scale[static_cast<std::size_t>(c)] = of(job_.w_scale, channel + c, 1.0f);
    }
    thread_local Scratch numbers;
    auto* w = numbers.get<float>(phase.dwords * 4 * float_columns);
    dequantize_packed(packed + phase.begin, phase.dwords, zero.data(), scale.data(), w);
    if (const std::int64_t C = t_.g.in_channels, padded = t_.padded_channels; C != padded)  // what is no term adds 0
      for (std::int64_t tap = 0; tap < phase.dwords * 4 / padded; ++tap) std::fill_n(w + (tap * padded + C) * float_columns, (padded - C) * float_columns, 0.0f);
    return w;
  }

 private:
  const FloatTiles& job_;
  const Tiling& t_;
};

void tiles(const FloatTiles& job, const Tiling& t, Finish& finish) {
  const Geometry& g = t.g;
  const std::int64_t O = g.out_channels, C = t.padded_channels, P = g.positions();
  const auto terms = static_cast<std::int64_t>(t.taps[0].size()) * C;
  const std::int64_t taps_a_chunk = std::max<std::int64_t>(1, chunk / C), longest = std::min(terms, taps_a_chunk * C);
  thread_local Scratch rows, block_sums;
  auto* x = rows.get<float>(block_pixels * longest);
  auto* sums = block_sums.get<float>(block_pixels * float_columns);
  Weights weights(job, t);
  for (std::int64_t group = 0; group < g.groups; ++group)
    for (std::int64_t n = 0; n < g.batch; ++n) {
      const std::byte* image = t.in.x + n * t.image_bytes + group * g.in_channels;
      if (!t.in_place) {
        auto* laid = t.memory.x.get<std::byte>(t.image_bytes);
        t.lay(n, group, laid);
        image = laid;
      }
      for (std::int64_t o = 0; o < O; o += float_columns) {
        const std::int64_t count = std::min(float_columns, O - o), channel = group * O + o;
        const float* w = weights.block(channel, count);
        for (std::int64_t first = 0; first < P; first += block_pixels) {
          const std::int64_t pixels = std::min(block_pixels, P - first);
          std::fill_n(sums, pixels * float_columns, 0.0f);
          for (std::size_t tap = 0; tap < t.taps[0].size(); tap += static_cast<std::size_t>(taps_a_chunk)) {
            const std::size_t end = std::min(t.taps[0].size(), tap + static_cast<std::size_t>(taps_a_chunk));
            const std::int64_t length = static_cast<std::int64_t>(end - tap) * C;
            for (std::int64_t i = 0; i < pixels; ++i)
              for (std::size_t k = tap; k < end; ++k)
                dequantize_bytes(image + t.blocks.offsets[static_cast<std::size_t>(first + i)] + t.taps[0][k].offset * t.pixel_bytes, C, static_cast<std::int32_t>(t.x_zero), job.x_scale,
                                 x + i * length + static_cast<std::int64_t>(k - tap) * C);
            add_float_products(x, pixels, length, w + static_cast<std::int64_t>(tap) * C * float_columns, sums);
          }
          for (std::int64_t i = 0; i < pixels; ++i) finish(sums + i * float_columns, n, first + i, channel, count);
        }
      }
    }
}

void depthwise(const FloatTiles& job, Finish& finish) {
  const Geometry& g = job.request.geometry;
  const StoredOperands& in = job.request.operands;
  const std::int64_t channels = g.groups, T = g.taps(), P = g.positions(), I = g.in_positions();
  std::vector<float> w(static_cast<std::size_t>(T * channels)), sums(static_cast<std::size_t>(channels));
  for (std::int64_t c = 0; c < channels; ++c)
    for (std::int64_t t = 0; t < T; ++t) {
      const std::int64_t q = stored_value(in.w_dtype, in.w, c * T + t) - of<std::int64_t>(in.w_zero_point, c, 0);
      w[static_cast<std::size_t>(t * channels + c)] = static_cast<float>(q) * of(job.w_scale, c, 1.0f);
    }
  // Planes are brought side by side first.
  const std::int64_t pitch = in.channels_last ? channels : (channels + 3) / 4 * 4;
  std::vector<std::byte> turned(in.channels_last ? 0 : static_cast<std::size_t>(g.batch * I * pitch));
  if (!in.channels_last)
    for (std::int64_t n = 0; n < g.batch; ++n) lay_planes(in.x + n * I * channels, channels, I, pitch, turned.data() + n * I * pitch);
  const std::byte* rows = in.channels_last ? in.x : turned.data();
  const auto source = sources(g);
  const std::uint8_t flip = is_signed(in.x_dtype) ? 0x80 : 0;
  std::vector<const std::byte*> x(static_cast<std::size_t>(T));
  for (std::int64_t n = 0; n < g.batch; ++n)
    for (std::int64_t p = 0; p < P; ++p) {
      for (std::int64_t t = 0; t < T; ++t) {
        const std::int32_t from = source[static_cast<std::size_t>(p * T + t)];
        x[static_cast<std::size_t>(t)] = from < 0 ? nullptr : rows + (n * I + from) * pitch;
      }
      std::fill(sums.begin(), sums.end(), 0.0f);
      add_float_channels(x.data(), T, channels, flip, static_cast<std::int32_t>(in.x_zero_point) + (flip ? 128 : 0), job.x_scale, w.data(), channels, sums.data());
      for (std::int64_t c = 0; c < channels; c += float_columns) finish(sums.data() + c, n, p, c, std::min(float_columns, channels - c));
    }
}

}  // namespace

std::optional<FloatTotals> compare_float_tiles(const FloatTiles& job) {
  const Geometry& g = job.request.geometry;
  if (stored_bytes(job.request.operands.x_dtype) != 1 || stored_bytes(job.request.operands.w_dtype) != 1 || !tiles_take(job.request, operand_range(job.request), Kind::bytes)) return std::nullopt;
  if (g.groups > 1 && g.in_channels == 1 && g.out_channels == 1) {
    if (g.transposed) return std::nullopt;
    Finish finish(job, job.request);
    depthwise(job, finish);
    return finish.totals;
  }
  const StreamRequest request = rows_as_positions(job.request);
  const std::function<void(const SumBlock&)> none;
  const Tiling t(request, Kind::bytes, (g.in_channels + 3) / 4 * 4, true, false, none);
  if (t.plan.phase_count != 1) return std::nullopt;
  Finish finish(job, request);
  tiles(job, t, finish);
  return finish.totals;
}

}  // namespace lastbit
