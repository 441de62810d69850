// tiling.cpp: see tiling.hpp.
#include "lib/kernels/tiling.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "lib/kernels/layout.hpp"

namespace lastbit {
namespace {

constexpr std::int64_t block_pixels = 96;                              // sixteen tiles of six, six vectors of sixteen; 96 x 64 sums are 24 KiB

Memory& thread_memory() {
  thread_local Memory memory;
  return memory;
}

/// The taps of a forward convolution's window that lie in a range of each axis.
std::vector<AxisTap> taps_within(const WindowPlan& plan, const std::vector<AxisTap>& all, const std::array<AxisInside::Range, 3>& range) {
  std::vector<AxisTap> kept;
  for (const auto& t : all) {
    const std::array<std::int64_t, 3> at{t.tap / (plan.kernel[1] * plan.kernel[2]), t.tap / plan.kernel[2] % plan.kernel[1], t.tap % plan.kernel[2]};
    bool in = true;
    for (std::size_t a = 0; a < 3; ++a) in = in && at[a] >= range[a].first && at[a] < range[a].end;
    if (in) kept.push_back(t);
  }
  return kept;
}

/// `inside`: of each axis, or null: positions are not told apart by it.
Blocks blocks_of(const Geometry& g, const WindowPlan& plan, std::int64_t pixel_bytes, const std::array<AxisInside, 3>* inside) {
  Blocks b;
  const std::int64_t P = g.positions(), n = std::max<std::int64_t>(1, (P + block_pixels / 2) / block_pixels);  // the last has 48 to 143
  const bool phased = plan.phase_count > 1, sorted = phased || inside;
  std::vector<std::int64_t> at(static_cast<std::size_t>(P));
  std::vector<std::int32_t> kind(sorted ? at.size() : 0);  // phase, or what is inside
  const auto kinds = [&](std::size_t a) { return static_cast<std::int32_t>(phased ? plan.axis[a].phases.size() : (*inside)[a].kinds.size()); };
  std::array<const std::int32_t*, 3> of_axis{};
  for (std::size_t a = 0; a < 3 && sorted; ++a) of_axis[a] = phased ? plan.axis[a].phase.data() : (*inside)[a].kind.data();
  std::int64_t i = 0;
  for (std::int64_t d = 0; d < g.out[0]; ++d)
    for (std::int64_t h = 0; h < g.out[1]; ++h, i += g.out[2]) {
      const std::int64_t row = (plan.axis[0].base[static_cast<std::size_t>(d)] * plan.padded[1] + plan.axis[1].base[static_cast<std::size_t>(h)]) * plan.padded[2];
      std::transform(plan.axis[2].base.begin(), plan.axis[2].base.end(), at.begin() + i, [&](std::int64_t base) { return (row + base) * pixel_bytes; });
      if (!sorted) continue;
      const std::int32_t of_row = (of_axis[0][d] * kinds(1) + of_axis[1][h]) * kinds(2);
      std::transform(of_axis[2], of_axis[2] + g.out[2], kind.begin() + i, [&](std::int32_t k) { return of_row + k; });
    }
  b.rows.resize(at.size());
  if (sorted) b.offsets.reserve(at.size());
  for (std::int64_t k = 0; k < n; ++k) {
    const std::int64_t first = k * block_pixels, count = k + 1 < n ? block_pixels : P - first;
    b.first.push_back(first);
    b.part_begin.push_back(static_cast<std::int64_t>(b.parts.size()));
    auto* rows = b.rows.data() + first;
    for (std::int64_t p = 0; p < count; ++p) rows[p] = static_cast<std::int32_t>(p);
    const auto kind_of = [&](std::int32_t row) { return sorted ? kind[static_cast<std::size_t>(first + row)] : 0; };
    const std::int32_t* kinds_here = sorted ? kind.data() + first : nullptr;
    if (!sorted || std::all_of(kinds_here, kinds_here + count, [&](std::int32_t v) { return v == *kinds_here; })) {
      const std::int64_t of_block = kind_of(0);
      b.parts.push_back({of_block, first, count});
      if (sorted) b.offsets.insert(b.offsets.end(), at.begin() + first, at.begin() + first + count);
      continue;
    }
    std::stable_sort(rows, rows + count, [&](std::int32_t a, std::int32_t c) { return kind_of(a) < kind_of(c); });
    for (std::int64_t p = 0; p < count; ++p) {
      const std::int64_t of_row = kind_of(rows[p]);
      if (p == 0 || of_row != kind_of(rows[p - 1])) b.parts.push_back({of_row, first + p, 0});
      ++b.parts.back().count;
      b.offsets.push_back(at[static_cast<std::size_t>(first + rows[p])]);
    }
  }
  (sorted ? b.places : b.offsets) = std::move(at);
  b.first.push_back(P);
  b.part_begin.push_back(static_cast<std::int64_t>(b.parts.size()));
  return b;
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

}  // namespace

void turn_sums(SumBlock& b) {
  if (!b.by_position || b.acc) return;
  Memory& memory = thread_memory();
  const auto turned = [&](const std::int32_t* from, Scratch& to) {
    auto* t = to.get<std::int32_t>(b.runs * b.length);
    transpose_tile(from, b.by_position_step, b.length, b.runs, t, b.length);
    return t;
  };
  b.acc = turned(b.by_position, memory.turned);
  if (b.peak_by_position) b.peak = turned(b.peak_by_position, memory.peaks_turned);
}

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

Tiling::Tiling(const StreamRequest& r, Kind k, std::int64_t padded, bool may_stay, bool apart, const std::function<void(const SumBlock&)>& s)
    : request(r), g(r.geometry), in(r.operands), kind(k), sink(s), memory(thread_memory()), plan(window_plan(g)), element_bytes(k == Kind::bytes ? 1 : 2), padded_channels(padded) {
  in_place = may_stay && kind == Kind::bytes && in.channels_last && !is_signed(in.x_dtype) && padded == g.in_channels && !plan.is_padded();
  pixel_bytes = in_place ? g.groups * g.in_channels : padded_channels * element_bytes;
  image_bytes = plan.padded_positions() * pixel_bytes;
  x_zero = kind == Kind::bytes ? in.x_zero_point + (is_signed(in.x_dtype) ? 128 : 0) : 0;
  for (std::int64_t p = 0; p < plan.phase_count; ++p) taps.push_back(plan.taps(p));
  std::array<AxisInside, 3> axes;
  apart = apart && !g.transposed && plan.is_padded();
  std::int64_t beside = 1;  // positions that share an axis' place and lie one after the other
  for (std::size_t a = 3; a-- > 0 && apart; beside *= g.out[a]) {
    // Weights are read once more for each kind of position in a block: a position or two are not worth it.
    const bool few = beside * std::max<std::int64_t>(1, block_pixels / std::max<std::int64_t>(1, beside * g.out[a])) < 3;
    axes[a] = axis_inside(g, a, !few);
  }
  apart = apart && axes[0].kinds.size() * axes[1].kinds.size() * axes[2].kinds.size() > 1;
  blocks = blocks_of(g, plan, pixel_bytes, apart ? &axes : nullptr);
  if (!apart) return;
  const auto all = std::move(taps[0]);
  taps.clear();
  for (const auto& d : axes[0].kinds)
    for (const auto& h : axes[1].kinds)
      for (const auto& w : axes[2].kinds) taps.push_back(taps_within(plan, all, {d, h, w}));  // the first are all
}

void Tiling::lay(std::int64_t n, std::int64_t group, std::byte* to) const {
  const std::int64_t I = g.in_positions(), C = g.in_channels, all = g.groups * C, bytes = stored_bytes(in.x_dtype);
  if (plan.is_padded()) fill_padding(plan, g, to, pixel_bytes, kind == Kind::bytes ? C : pixel_bytes, kind == Kind::bytes ? static_cast<std::uint8_t>(x_zero) : std::uint8_t{0});
  LayJob job;
  job.kind = kind;
  job.dtype = in.x_dtype;
  job.channels = C;
  job.padded_channels = padded_channels;
  job.channel_stride = in.channels_last ? 1 : I;
  job.position_stride = in.channels_last ? all : 1;
  job.zero_point = in.x_zero_point;
  job.to = to;
  const std::byte* from = in.x + (in.channels_last ? n * I * all + group * C : (n * all + group * C) * I) * bytes;
  // Rows of wide images one by one, which lie alike; narrower ones would not fill the vectors.
  const std::int64_t W = g.in[2], rows = W >= 128 ? 1 : g.in[0] * g.in[1];
  const auto row_at = [&](std::int64_t row) { return (((row / g.in[1] + plan.axis[0].before) * plan.padded[1] + row % g.in[1] + plan.axis[1].before) * plan.padded[2] + plan.axis[2].before) * pixel_bytes; };
  std::vector<std::int64_t> offsets;
  offsets.reserve(static_cast<std::size_t>(rows * W));
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::int64_t w = 0, at = rows > 1 ? row_at(row) : 0; w < W; ++w) offsets.push_back(at + w * pixel_bytes);
  job.positions = rows * W;
  job.offsets = offsets.data();
  for (std::int64_t row = 0; row < g.in[0] * g.in[1]; row += rows) {
    job.from = from + row * W * job.position_stride * bytes;
    if (rows == 1) job.to = to + row_at(row);
    lay_input(job);
  }
}

void Tiling::hand_out(const std::int32_t* acc, const std::int64_t* wide, std::int64_t width, std::int64_t n, std::int64_t channel, std::int64_t channels, std::int64_t position, std::int64_t count, const BlockTerms* terms,
                      const std::int32_t* peak) const {
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
      block.by_position = std::exchange(acc, nullptr);
      block.peak_by_position = std::exchange(peak, nullptr);
      block.by_position_step = width;
    } else {
      auto* turned = memory.wide_turned.get<std::int64_t>(channels * count);
      for (std::int64_t c = 0; c < channels; ++c)
        for (std::int64_t i = 0; i < count; ++i) turned[c * count + i] = wide[i * width + c];
      wide = turned;
    }
  }
  block.acc = acc;
  block.wide = wide;
  block.terms = terms;
  block.peak = peak;
  if (!request.by_position) turn_sums(block);
  sink(block);
}

}  // namespace lastbit
