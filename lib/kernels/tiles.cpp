// tiles.cpp: see tiles.hpp.
//
// With operands as stored, acc = sum xw - xz sum w - wz sum x + K xz wz, modulo 2^32: the second and fourth terms are what the sums begin
// with, the third is one row sum per pixel. Padding holds xz, so that it contributes nothing.
#include "lib/kernels/tiles.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "lib/error.hpp"
#include "lib/kernels/layout.hpp"
#include "lib/kernels/pack.hpp"
#include "lib/kernels/scratch.hpp"
#include "lib/kernels/tile.hpp"
#include "lib/kernels/window_plan.hpp"

namespace lastbit {
namespace {

constexpr std::int64_t block_pixels = 96;                              // sixteen tiles of six, six vectors of sixteen; 96 x 64 sums are 24 KiB
constexpr std::int64_t images_at_once = std::int64_t{32} << 20;        // bytes of laid-out inputs per round over the weights
constexpr std::int64_t int32_max = std::numeric_limits<std::int32_t>::max();

struct Memory {
  Scratch x, w, rows, sums, turned, wide, wide_turned;
};

/// Positions of one image in the order in which blocks take them: pixel offsets sorted by phase inside each block.
struct Blocks {
  struct Part {
    std::int64_t phase, begin, count;
  };
  std::vector<std::int64_t> first;          // first position of each block, and the end
  std::vector<std::int64_t> part_begin;     // of each block in parts, and the end
  std::vector<Part> parts;
  std::vector<std::int64_t> offsets;        // bytes, per position
  std::vector<std::int32_t> rows;           // position - first
};

Blocks blocks_of(const Geometry& g, const WindowPlan& plan, std::int64_t pixel_bytes) {
  Blocks b;
  const std::int64_t P = g.positions(), n = std::max<std::int64_t>(1, (P + block_pixels / 2) / block_pixels);  // the last has 48 to 143
  std::vector<std::int64_t> at;
  std::vector<std::int32_t> phase;
  at.reserve(static_cast<std::size_t>(P));
  const auto widths = static_cast<std::int32_t>(plan.axis[2].phases.size()), heights = static_cast<std::int32_t>(plan.axis[1].phases.size());
  for (std::size_t d = 0; d < static_cast<std::size_t>(g.out[0]); ++d)
    for (std::size_t h = 0; h < static_cast<std::size_t>(g.out[1]); ++h)
      for (std::size_t w = 0; w < static_cast<std::size_t>(g.out[2]); ++w) {
        at.push_back(((plan.axis[0].base[d] * plan.padded[1] + plan.axis[1].base[h]) * plan.padded[2] + plan.axis[2].base[w]) * pixel_bytes);
        if (plan.phase_count > 1) phase.push_back((plan.axis[0].phase[d] * heights + plan.axis[1].phase[h]) * widths + plan.axis[2].phase[w]);
      }
  std::int64_t first = 0;
  std::vector<std::int64_t> order;
  for (std::int64_t k = 0; k < n; ++k) {
    const std::int64_t count = k + 1 < n ? block_pixels : P - first;
    b.first.push_back(first);
    b.part_begin.push_back(static_cast<std::int64_t>(b.parts.size()));
    order.resize(static_cast<std::size_t>(count));
    for (std::int64_t i = 0; i < count; ++i) order[static_cast<std::size_t>(i)] = first + i;
    const auto phase_of = [&](std::int64_t p) { return phase.empty() ? 0 : phase[static_cast<std::size_t>(p)]; };
    if (!phase.empty()) std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t c) { return phase_of(a) < phase_of(c); });
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t p = order[static_cast<std::size_t>(i)];
      if (i == 0 || phase_of(p) != b.parts.back().phase) b.parts.push_back({phase_of(p), first + i, 0});
      ++b.parts.back().count;
      b.offsets.push_back(at[static_cast<std::size_t>(p)]);
      b.rows.push_back(static_cast<std::int32_t>(p - first));
    }
    first += count;
  }
  b.first.push_back(P);
  b.part_begin.push_back(static_cast<std::int64_t>(b.parts.size()));
  return b;
}

/// A phase's terms as contiguous runs; none longer than `longest` dwords.
std::vector<TermSegment> segments_of(const std::vector<AxisTap>& taps, std::int64_t pixel_bytes, std::int64_t tap_dwords, std::int64_t longest) {
  std::vector<TermSegment> all;
  for (const auto& t : taps) {
    const std::int64_t offset = t.offset * pixel_bytes;
    if (!all.empty() && all.back().offset + all.back().dwords * 4 == offset) all.back().dwords += tap_dwords;
    else all.push_back({offset, tap_dwords});
  }
  std::vector<TermSegment> cut;
  for (auto s : all) {
    for (; s.dwords > longest; s.offset += longest * 4, s.dwords -= longest) cut.push_back({s.offset, longest});
    if (s.dwords > 0) cut.push_back(s);
  }
  return cut;
}

/// The padding of an image whose positions `lay_input` then fills.
void fill_padding(const WindowPlan& plan, const Geometry& g, std::byte* to, std::int64_t pixel_bytes, std::int64_t filled, std::uint8_t value) {
  const auto fill = [&](std::int64_t from, std::int64_t pixels) {
    if (filled == pixel_bytes || value == 0) std::memset(to + from * pixel_bytes, value, static_cast<std::size_t>(pixels * pixel_bytes));
    else
      for (std::int64_t i = from; i < from + pixels; ++i) {
        std::memset(to + i * pixel_bytes, value, static_cast<std::size_t>(filled));
        std::memset(to + i * pixel_bytes + filled, 0, static_cast<std::size_t>(pixel_bytes - filled));
      }
  };
  const std::int64_t H = plan.padded[1], W = plan.padded[2];
  for (std::int64_t d = 0; d < plan.padded[0]; ++d)
    for (std::int64_t h = 0; h < H; ++h) {
      const bool inside = d >= plan.axis[0].before && d < plan.axis[0].before + g.in[0] && h >= plan.axis[1].before && h < plan.axis[1].before + g.in[1];
      const std::int64_t row = (d * H + h) * W;
      if (!inside) fill(row, W);
      else fill(row, plan.axis[2].before), fill(row + W - plan.axis[2].after, plan.axis[2].after);
    }
}

/// Matrix products: rows are the positions of one image.
StreamRequest rows_as_positions(StreamRequest r) {
  Geometry& g = r.geometry;
  if (g.in_positions() != 1 || g.positions() != 1 || g.taps() != 1 || g.groups != 1 || g.transposed) return r;
  for (std::size_t a = 0; a < 3; ++a)
    if (g.begin[a] != 0) return r;
  g.in[2] = g.out[2] = g.batch;
  g.batch = 1;
  g.stride = {1, 1, 1};
  r.operands.channels_last = r.channels_last = true;
  return r;
}

struct Tiling {
  const StreamRequest& request;
  const Geometry& g;
  const StoredOperands& in;
  Kind kind;
  const std::function<void(const SumBlock&)>& sink;
  Memory& memory;
  WindowPlan plan;
  std::int64_t element_bytes, padded_channels, pixel_bytes, image_bytes;
  bool in_place = false;
  std::int64_t x_zero = 0;   // as laid out
  std::int64_t x_size = 0;
  std::int64_t chunk = 0;    // dwords of raw products that int32 holds whatever they are
  Blocks blocks;
  std::vector<std::vector<AxisTap>> taps;
  std::vector<std::vector<TermSegment>> segments;
  double pack_seconds = 0;

  void lay(std::int64_t n, std::int64_t group, std::byte* to) const;
  void tile(std::int64_t group, std::int64_t first, std::int64_t count, std::int64_t width, std::int64_t from, std::int64_t images, const std::byte* x);
  void hand_out(const std::int32_t* acc, const std::int64_t* wide, std::int64_t width, std::int64_t n, std::int64_t channel, std::int64_t channels, std::int64_t position, std::int64_t count) const;
  void run();
};

void Tiling::lay(std::int64_t n, std::int64_t group, std::byte* to) const {
  const std::int64_t I = g.in_positions(), C = g.in_channels, all = g.groups * C, bytes = stored_bytes(in.x_dtype);
  if (plan.is_padded()) fill_padding(plan, g, to, pixel_bytes, kind == Kind::bytes ? C : pixel_bytes, kind == Kind::bytes ? static_cast<std::uint8_t>(x_zero) : std::uint8_t{0});
  LayJob job;
  job.kind = kind;
  job.dtype = in.x_dtype;
  job.channels = C;
  job.padded_channels = padded_channels;
  job.positions = g.in[2];
  job.channel_stride = in.channels_last ? 1 : I;
  job.position_stride = in.channels_last ? all : 1;
  job.zero_point = in.x_zero_point;
  job.to = to;
  const std::byte* from = in.x + (in.channels_last ? n * I * all + group * C : (n * all + group * C) * I) * bytes;
  std::vector<std::int64_t> offsets;
  offsets.reserve(static_cast<std::size_t>(I));
  for (std::int64_t d = 0; d < g.in[0]; ++d)
    for (std::int64_t h = 0; h < g.in[1]; ++h)
      for (std::int64_t w = 0; w < g.in[2]; ++w)
        offsets.push_back((((d + plan.axis[0].before) * plan.padded[1] + h + plan.axis[1].before) * plan.padded[2] + w + plan.axis[2].before) * pixel_bytes);
  job.positions = I;
  job.offsets = offsets.data();
  job.from = from;
  lay_input(job);
}

void Tiling::hand_out(const std::int32_t* acc, const std::int64_t* wide, std::int64_t width, std::int64_t n, std::int64_t channel, std::int64_t channels, std::int64_t position, std::int64_t count) const {
  const std::int64_t O = g.groups * g.out_channels, P = g.positions();
  SumBlock block;
  if (request.channels_last) {
    block.first = (n * P + position) * O + channel;
    block.runs = count;
    block.step = O;
    block.length = channels;
    block.acc_step = width;
  } else {
    block.first = (n * O + channel) * P + position;
    block.runs = channels;
    block.step = P;
    block.length = count;
    block.acc_step = count;
    if (acc) {
      auto* turned = memory.turned.get<std::int32_t>(channels * count);
      transpose_tile(acc, width, count, channels, turned, count);
      acc = turned;
    } else {
      auto* turned = memory.wide_turned.get<std::int64_t>(channels * count);
      for (std::int64_t c = 0; c < channels; ++c)
        for (std::int64_t i = 0; i < count; ++i) turned[c * count + i] = wide[i * width + c];
      wide = turned;
    }
  }
  block.acc = acc;
  block.wide = wide;
  sink(block);
}

void Tiling::tile(std::int64_t group, std::int64_t first, std::int64_t count, std::int64_t width, std::int64_t from, std::int64_t images, const std::byte* x) {
  const auto began = std::chrono::steady_clock::now();
  const std::int64_t O = g.out_channels, channel = group * O + first;
  PackJob pack;
  pack.kind = kind;
  pack.dtype = in.w_dtype;
  pack.w = in.w;
  pack.elements = g.groups * O * g.terms();
  pack.channels_last = in.w_channels_last;
  pack.first = channel;
  pack.count = count;
  pack.in_channels = g.in_channels;
  pack.padded_in_channels = padded_channels;
  pack.taps = g.taps();
  pack.zero_point = in.w_zero_point;
  pack.width = width;
  for (const auto& phase : taps) {
    pack.phases.emplace_back();
    for (const auto& t : phase) pack.phases.back().push_back(t.tap);
  }
  auto* w = memory.w.get<std::byte>(packed_bytes(pack));
  const auto packed = pack_weights(pack, w, memory.rows);

  // What the sums begin with; whether int32 holds every one of them.
  const std::int64_t flip = kind == Kind::bytes && !is_signed(in.w_dtype) ? 128 : 0;
  const auto wz = [&](std::int64_t c) { return kind == Kind::words || in.w_zero_point.empty() ? (kind == Kind::words ? 0 : -flip) : in.w_zero_point[in.w_zero_point.size() == 1 ? 0 : static_cast<std::size_t>(channel + c)] - flip; };
  bool narrow = true, corrected = false;
  std::vector<std::vector<std::int32_t>> start(packed.size(), std::vector<std::int32_t>(static_cast<std::size_t>(width)));
  std::vector<std::int32_t> zero(static_cast<std::size_t>(width));
  for (std::int64_t c = 0; c < count; ++c) {
    const auto i = static_cast<std::size_t>(c);
    zero[i] = static_cast<std::int32_t>(wz(c));
    corrected = corrected || zero[i] != 0;
    for (std::size_t p = 0; p < packed.size(); ++p) {
      narrow = narrow && packed[p].size[i] <= int32_max / std::max<std::int64_t>(x_size, 1);
      const std::int64_t terms = static_cast<std::int64_t>(taps[p].size()) * g.in_channels;
      start[p][i] = static_cast<std::int32_t>(static_cast<std::uint32_t>(static_cast<std::uint64_t>(kind == Kind::words ? 0 : terms * x_zero * wz(c) - x_zero * packed[p].sum[i])));
    }
  }
  pack_seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();

  const std::vector<std::int32_t> none(static_cast<std::size_t>(width));
  for (std::int64_t n = 0; n < images; ++n)
    for (std::size_t b = 0; b + 1 < blocks.first.size(); ++b) {
      const std::int64_t position = blocks.first[b], pixels = blocks.first[b + 1] - position;
      auto* sums = memory.sums.get<std::int32_t>(pixels * (width + 1));
      auto* wide = narrow ? nullptr : memory.wide.get<std::int64_t>(pixels * width);
      if (wide) std::fill_n(wide, pixels * width, 0);
      for (std::int64_t part = blocks.part_begin[b]; part < blocks.part_begin[b + 1]; ++part) {
        const auto& run = blocks.parts[static_cast<std::size_t>(part)];
        const auto p = static_cast<std::size_t>(run.phase);
        TileJob job;
        job.kind = kind;
        job.x = x + n * image_bytes;
        job.pixels = &blocks.offsets[static_cast<std::size_t>(run.begin)];
        job.rows = &blocks.rows[static_cast<std::size_t>(run.begin)];
        job.count = run.count;
        job.segments = segments[p].data();
        job.segment_count = static_cast<std::int64_t>(segments[p].size());
        job.w = w + packed[p].begin;
        job.channels = width;
        job.out = sums;
        if (corrected) {
          auto* row_sums = sums + pixels * width;
          tile_row_sums(job, row_sums);
          job.row_sums = row_sums;
        }
        if (narrow) {
          job.start = start[p].data();
          if (corrected) job.w_zero_point = zero.data();
          tile_products(job);
          continue;
        }
        // Chunks of raw products, each exact in int32; the corrections in int64.
        job.start = none.data();
        for (std::size_t s = 0; s < segments[p].size();) {
          std::int64_t dwords = 0;
          job.segments = &segments[p][s];
          job.segment_count = 0;
          for (; s < segments[p].size() && (dwords == 0 || dwords + segments[p][s].dwords <= chunk); ++s, ++job.segment_count) dwords += segments[p][s].dwords;
          tile_products(job);
          job.w += dwords * width * 4;
          for (std::int64_t i = 0; i < run.count; ++i)
            for (std::int64_t c = 0; c < width; ++c) wide[job.rows[i] * width + c] += sums[job.rows[i] * width + c];
        }
        if (kind == Kind::bytes)
          for (std::int64_t i = 0; i < run.count; ++i)
            for (std::int64_t c = 0; c < count; ++c) {
              const std::int64_t z = zero[static_cast<std::size_t>(c)], terms = static_cast<std::int64_t>(taps[p].size()) * g.in_channels;
              wide[job.rows[i] * width + c] += terms * x_zero * z - x_zero * packed[p].sum[static_cast<std::size_t>(c)] - (corrected ? z * job.row_sums[i] : 0);
            }
      }
      hand_out(narrow ? sums : nullptr, wide, width, from + n, channel, count, position, pixels);
    }
}

void Tiling::run() {
  const std::int64_t lanes = kernel_target().lanes, full = lanes * (lanes >= 16 ? 4 : 2), O = g.out_channels;
  const std::int64_t per_round = in_place ? g.batch : std::clamp<std::int64_t>(images_at_once / std::max<std::int64_t>(image_bytes, 1), 1, g.batch);
  for (std::int64_t group = 0; group < g.groups; ++group)
    for (std::int64_t n = 0; n < g.batch; n += per_round) {
      const std::int64_t images = std::min(per_round, g.batch - n);
      const std::byte* x = nullptr;
      if (in_place) x = in.x + n * image_bytes + group * g.in_channels;
      else {
        auto* laid = memory.x.get<std::byte>(images * image_bytes);
        for (std::int64_t i = 0; i < images; ++i) lay(n + i, group, laid + i * image_bytes);
        x = laid;
      }
      for (std::int64_t o = 0; o < O; o += full) {
        const std::int64_t count = std::min(full, O - o);
        tile(group, o, count, (count + lanes - 1) / lanes * lanes, n, images, x);
      }
    }
}

}  // namespace

OperandRange operand_range(const StreamRequest& r) {
  const Geometry& g = r.geometry;
  const StoredOperands& in = r.operands;
  const auto range = [](DType d, const std::byte* p, std::int64_t n, std::int64_t& low, std::int64_t& high) {
    low = info(d).min, high = info(d).max;
    if (stored_bytes(d) == 1) {  // values of narrower types lie one a byte and are not trusted
      low = is_signed(d) ? -128 : 0, high = is_signed(d) ? 127 : 255;
      return;
    }
    if (n == 0) return;
    low = high = stored_value(d, p, 0);
    for (std::int64_t i = 1; i < n; ++i) {
      const std::int64_t v = stored_value(d, p, i);
      low = std::min(low, v), high = std::max(high, v);
    }
  };
  OperandRange o;
  range(in.x_dtype, in.x, g.batch * g.groups * g.in_channels * g.in_positions(), o.x_low, o.x_high);
  range(in.w_dtype, in.w, g.groups * g.out_channels * g.terms(), o.w_low, o.w_high);
  std::int64_t zero_low = 0, zero_high = 0;
  if (!in.w_zero_point.empty()) {
    const auto [a, b] = std::minmax_element(in.w_zero_point.begin(), in.w_zero_point.end());
    zero_low = *a, zero_high = *b;
  }
  o.x_size = std::max(std::abs(o.x_low - in.x_zero_point), std::abs(o.x_high - in.x_zero_point));
  o.w_size = std::max(std::abs(o.w_low - zero_high), std::abs(o.w_high - zero_low));
  return o;
}

bool tiles_take(const StreamRequest& r, const OperandRange& range, Kind kind) {
  const Geometry& g = r.geometry;
  const StoredOperands& in = r.operands;
  const WindowPlan plan = window_plan(g);
  __extension__ typedef __int128 Big;
  const Big padded = Big{plan.padded[0]} * plan.padded[1] * plan.padded[2] * (g.in_channels + 3);
  if (padded > Big{64} << 20 && padded > Big{16} * (g.in_positions() + g.positions()) * (g.in_channels + 3)) return false;
  if (kind == Kind::words) return range.x_size <= 32767 && range.w_size <= 32767;
  if (stored_bytes(in.x_dtype) != 1 || stored_bytes(in.w_dtype) != 1) return false;
  const std::int64_t zero = in.x_zero_point + (is_signed(in.x_dtype) ? 128 : 0);
  for (const auto z : in.w_zero_point)
    if (z < -255 || z > 255) return false;
  return zero >= 0 && zero <= 255;
}

void tile_sums(const StreamRequest& original, const OperandRange& range, Kind kind, const std::function<void(const SumBlock&)>& sink, double& pack_seconds) {
  const StreamRequest request = rows_as_positions(original);
  thread_local Memory memory;
  Tiling t{request, request.geometry, request.operands, kind, sink, memory, window_plan(request.geometry), 1, 0, 0, 0, false, 0, 0, 0, {}, {}, {}, 0};
  const std::int64_t C = t.g.in_channels, per = kind == Kind::bytes ? 4 : 2;
  t.element_bytes = kind == Kind::bytes ? 1 : 2;
  t.padded_channels = (C + per - 1) / per * per;
  t.in_place = kind == Kind::bytes && t.in.channels_last && !is_signed(t.in.x_dtype) && C % 4 == 0 && !t.plan.is_padded();
  t.pixel_bytes = t.in_place ? t.g.groups * C : t.padded_channels * t.element_bytes;
  t.image_bytes = t.plan.padded_positions() * t.pixel_bytes;
  t.x_zero = kind == Kind::bytes ? t.in.x_zero_point + (is_signed(t.in.x_dtype) ? 128 : 0) : 0;
  t.x_size = range.x_size;
  t.chunk = kind == Kind::bytes ? 65792 / 4 : std::max<std::int64_t>(1, int32_max / std::max<std::int64_t>(1, range.x_size * range.w_size) / 2);
  t.blocks = blocks_of(t.g, t.plan, t.pixel_bytes);
  for (std::int64_t p = 0; p < t.plan.phase_count; ++p) {
    t.taps.push_back(t.plan.taps(p));
    t.segments.push_back(segments_of(t.taps.back(), t.pixel_bytes, t.padded_channels * t.element_bytes / 4, t.chunk));
  }
  t.run();
  pack_seconds = t.pack_seconds;
}

}  // namespace lastbit
