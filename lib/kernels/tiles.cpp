// tiles.cpp: see tiles.hpp.
//
// With operands as stored, acc = sum xw - xz sum w - wz sum x + K xz wz, modulo 2^32: the second and fourth terms are what the sums begin
// with, the third is one row sum per pixel. Padding holds xz, so that it contributes nothing.
#include "lib/kernels/tiles.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <optional>

#include "lib/kernels/layout.hpp"
#include "lib/kernels/pack.hpp"
#include "lib/kernels/tiling.hpp"
#include "lib/num/int.hpp"

namespace lastbit {
namespace {

constexpr std::int64_t between_marks = 32;                              // dwords: 128 terms
constexpr std::int64_t images_at_once = std::int64_t{32} << 20;        // bytes of laid-out inputs per round over the weights

/// The terms of some taps of those whose weights are packed, as contiguous runs; none longer than `longest` dwords.
std::vector<TermSegment> segments_of(const std::vector<AxisTap>& taps, std::int64_t pixel_bytes, std::int64_t tap_dwords, std::int64_t longest, const std::vector<AxisTap>& packed) {
  std::vector<TermSegment> all;
  auto next = packed.begin();
  for (const auto& t : taps) {
    const std::int64_t offset = t.offset * pixel_bytes;
    std::int64_t passed = 0;
    for (; next->tap != t.tap; ++next) passed += tap_dwords;
    ++next;
    if (!all.empty() && passed == 0 && all.back().offset + all.back().dwords * 4 == offset) all.back().dwords += tap_dwords;
    else all.push_back({offset, tap_dwords, passed});
  }
  std::vector<TermSegment> cut;
  for (auto s : all) {
    for (; s.dwords > longest; s.offset += longest * 4, s.dwords -= longest, s.passed = 0) cut.push_back({s.offset, longest, s.passed});
    if (s.dwords > 0) cut.push_back(s);
  }
  return cut;
}

struct Tiles : Tiling {
  std::int64_t x_size, chunk;                        // dwords of raw products that int32 holds whatever they are
  std::vector<std::vector<TermSegment>> segments;    // of each kind
  std::vector<std::vector<TermSegment>> marked;      // where blocks say where their terms lie: none longer than between_marks
  std::vector<double> norms;                         // [images][blocks]: BlockTerms::x_norm
  StreamNotes& notes;

  Tiles(const StreamRequest& r, const OperandRange& range, Kind k, std::int64_t padded, const std::function<void(const SumBlock&)>& s, StreamNotes& n) : Tiling(r, k, padded, true, true, s), x_size(range.x_size), notes(n) {
    constexpr std::int64_t int32_holds = std::int64_t{1} << 22;  // sums of bytes less a byte
    if (plan.phase_count == 1 && stored_bytes(in.w_dtype) == 1 && g.terms() <= int32_holds) notes.w_sum.resize(static_cast<std::size_t>(g.groups * g.out_channels)), notes.w_size = notes.w_sum;
    chunk = kind == Kind::bytes ? 65792 / 4 : std::max<std::int64_t>(1, int32_max / std::max<std::int64_t>(1, range.x_size * range.w_size) / 2);
    const auto cut = [&](std::int64_t longest) {
      std::vector<std::vector<TermSegment>> of_kinds;
      for (const auto& some : taps) {
        const auto phase = static_cast<std::size_t>(phase_of(static_cast<std::int64_t>(of_kinds.size())));
        of_kinds.push_back(segments_of(some, pixel_bytes, tap_dwords(), longest, taps[phase]));
      }
      return of_kinds;
    };
    segments = cut(chunk);
    if (request.terms && kind == Kind::bytes && plan.phase_count == 1) marked = cut(between_marks);
  }
  std::int64_t tap_dwords() const { return padded_channels * element_bytes / 4; }
  std::vector<std::int64_t> tap_sums(const std::byte* w, std::int64_t width) const;
  void measure(const std::byte* x, std::int64_t images);
  std::vector<std::int32_t> marks_of(const PackedPhase&, const std::vector<TermSegment>&, const std::vector<std::int32_t>& start, std::int64_t width) const;
  void tile(std::int64_t group, std::int64_t first, std::int64_t count, std::int64_t width, std::int64_t from, std::int64_t images, const std::byte* x);
  void run();
};

/// The largest sqrt(sum (x - zero point)^2) of a block's positions. Taps beside one another are one difference of sums from the first pixel on.
void Tiles::measure(const std::byte* x, std::int64_t images) {
  const std::int64_t padded = plan.padded_positions();
  std::vector<std::int64_t> up_to(static_cast<std::size_t>(padded + 1));
  struct Run {
    std::int64_t begin, end;
  };
  std::vector<Run> runs;
  for (const auto& t : taps[0]) {
    if (!runs.empty() && runs.back().end == t.offset) ++runs.back().end;
    else runs.push_back({t.offset, t.offset + 1});
  }
  norms.clear();
  for (std::int64_t n = 0; n < images; ++n) {
    square_sums(x + n * image_bytes, padded, pixel_bytes, g.in_channels, static_cast<std::int32_t>(x_zero), up_to.data() + 1);
    for (std::size_t i = 1; i < up_to.size(); ++i) up_to[i] += up_to[i - 1];
    for (std::size_t b = 0; b + 1 < blocks.first.size(); ++b) {
      std::int64_t largest = 0;
      for (std::int64_t p = blocks.first[b]; p < blocks.first[b + 1]; ++p) {
        const std::int64_t* at = up_to.data() + blocks.offsets[static_cast<std::size_t>(p)] / pixel_bytes;
        std::int64_t sum = 0;
        for (const auto& run : runs) sum += at[run.end] - at[run.begin];
        largest = std::max(largest, sum);
      }
      norms.push_back(std::sqrt(static_cast<double>(largest)));
    }
  }
}

void Tiles::tile(std::int64_t group, std::int64_t first, std::int64_t count, std::int64_t width, std::int64_t from, std::int64_t images, const std::byte* x) {
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
  pack.squares = !marked.empty();
  for (std::int64_t p = 0; p < plan.phase_count; ++p) {
    pack.phases.emplace_back();
    for (const auto& t : taps[static_cast<std::size_t>(p)]) pack.phases.back().push_back(t.tap);
  }
  auto* w = memory.w.get<std::byte>(packed_bytes(pack));
  const auto packed = pack_weights(pack, w, memory.rows);

  // What the sums begin with; whether int32 holds every one of them.
  const std::int64_t flip = kind == Kind::bytes && !is_signed(in.w_dtype) ? 128 : 0;
  const auto wz = [&](std::int64_t c) { return kind == Kind::words ? 0 : in.w_zero_point_of(channel + c) - flip; };
  bool narrow = true, corrected = false;
  std::vector<std::vector<std::int32_t>> start(taps.size(), std::vector<std::int32_t>(static_cast<std::size_t>(width)));  // of each kind
  const auto start_of = [&](std::int64_t c, std::int64_t terms, std::int64_t sum) {
    return static_cast<std::int32_t>(static_cast<std::uint32_t>(static_cast<std::uint64_t>(kind == Kind::words ? 0 : terms * x_zero * wz(c) - x_zero * sum)));
  };
  std::vector<std::int32_t> zero(static_cast<std::size_t>(width));
  for (std::int64_t c = 0; c < count; ++c) {
    const auto i = static_cast<std::size_t>(c);
    zero[i] = static_cast<std::int32_t>(wz(c));
    if (!notes.w_sum.empty()) {
      notes.w_sum[static_cast<std::size_t>(channel + c)] = packed[0].sum[i] - g.terms() * wz(c);
      notes.w_size[static_cast<std::size_t>(channel + c)] = packed[0].size[i];
    }
    corrected = corrected || zero[i] != 0;
    for (std::size_t p = 0; p < packed.size(); ++p) {
      narrow = narrow && packed[p].size[i] <= int32_max / std::max<std::int64_t>(x_size, 1);
      start[p][i] = start_of(c, static_cast<std::int64_t>(taps[p].size()) * g.in_channels, packed[p].sum[i]);
    }
  }
  // Padding holds x's zero point and contributes nothing: where taps read it, neither they nor what takes them off again.
  if (x_zero && taps.size() > packed.size() && narrow) {
    const auto sums = tap_sums(w + packed[0].begin, width);
    for (std::size_t k = packed.size(); k < taps.size(); ++k)
      for (std::int64_t c = 0; c < count; ++c) {
        std::int64_t sum = 0;
        for (const auto& t : taps[k]) sum += sums[static_cast<std::size_t>(t.tap * width + c)];
        start[k][static_cast<std::size_t>(c)] = start_of(c, static_cast<std::int64_t>(taps[k].size()) * g.in_channels, sum);
      }
  }
  notes.pack_seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();

  const std::vector<std::int32_t> none(static_cast<std::size_t>(width));
  std::optional<BlockTerms> terms;
  std::vector<double> w_norm;
  std::vector<std::vector<std::int32_t>> marks;  // of each kind: after each segment the zero point's part of the sums so far
  if (!marked.empty() && narrow && !corrected) {
    for (const auto v : packed[0].squares) w_norm.push_back(std::sqrt(static_cast<double>(v)));
    terms = BlockTerms{static_cast<std::int32_t>(x_zero), nullptr, nullptr, marked[0].data(), static_cast<std::int64_t>(marked[0].size()), packed[0].rows, packed[0].dwords * 4, w_norm.data(), 0, between_marks * 4};
    for (std::size_t k = 0; k < taps.size() && packed[0].dwords > between_marks; ++k) marks.push_back(marks_of(packed[0], marked[k], start[k], width));
  }
  for (std::int64_t n = 0; n < images; ++n)
    for (std::size_t b = 0; b + 1 < blocks.first.size(); ++b) {
      const std::int64_t position = blocks.first[b], pixels = blocks.first[b + 1] - position;
      auto* sums = memory.sums.get<std::int32_t>(pixels * (width + 1));
      auto* wide = narrow ? nullptr : memory.wide.get<std::int64_t>(pixels * width);
      if (wide) std::fill_n(wide, pixels * width, 0);
      for (std::int64_t part = blocks.part_begin[b]; part < blocks.part_begin[b + 1]; ++part) {
        const auto& run = blocks.parts[static_cast<std::size_t>(part)];
        const auto p = static_cast<std::size_t>(phase_of(run.kind)), k = narrow ? static_cast<std::size_t>(run.kind) : p;
        const auto& terms_here = marks.empty() ? segments[k] : marked[k];
        TileJob job;
        job.kind = kind;
        job.x = x + n * image_bytes;
        job.pixels = &blocks.offsets[static_cast<std::size_t>(run.begin)];
        job.rows = &blocks.rows[static_cast<std::size_t>(run.begin)];
        job.count = run.count;
        job.segments = terms_here.data();
        job.segment_count = static_cast<std::int64_t>(terms_here.size());
        job.w = w + packed[p].begin;
        job.channels = width;
        job.out = sums;
        if (!marks.empty()) {
          job.marks = marks[k].data();
          job.peaks = memory.peaks.get<std::int32_t>(pixels * width);
        }
        if (corrected) {
          auto* row_sums = sums + pixels * width;
          tile_row_sums(job, row_sums);
          job.row_sums = row_sums;
        }
        if (narrow) {
          job.start = start[k].data();
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
              const std::int64_t z = zero[static_cast<std::size_t>(c)], of_phase = static_cast<std::int64_t>(taps[p].size()) * g.in_channels;
              wide[job.rows[i] * width + c] += of_phase * x_zero * z - x_zero * packed[p].sum[static_cast<std::size_t>(c)] - (corrected ? z * job.row_sums[i] : 0);
            }
      }
      if (wide && std::all_of(wide, wide + pixels * width, [](std::int64_t v) { return v >= -int32_max - 1 && v <= int32_max; })) {
        std::transform(wide, wide + pixels * width, sums, [](std::int64_t v) { return static_cast<std::int32_t>(v); });
        hand_out(sums, nullptr, width, from + n, channel, count, position, pixels);
      } else {
        if (terms) {
          terms->x = x + n * image_bytes;
          terms->pixels = blocks.of_positions() + position;
          terms->x_norm = norms[static_cast<std::size_t>(n) * (blocks.first.size() - 1) + b];
        }
        hand_out(narrow ? sums : nullptr, wide, width, from + n, channel, count, position, pixels, terms ? &*terms : nullptr, marks.empty() ? nullptr : memory.peaks.get<std::int32_t>(pixels * width));
      }
    }
}

/// [taps][width]: sums of the weights as packed, bytes: products with ones.
std::vector<std::int64_t> Tiles::tap_sums(const std::byte* w, std::int64_t width) const {
  const std::vector<std::byte> ones(static_cast<std::size_t>(padded_channels), std::byte{1});
  const std::vector<std::int32_t> none(static_cast<std::size_t>(width));
  std::vector<std::int32_t> out(static_cast<std::size_t>(width));
  std::vector<std::int64_t> sums;
  const std::int64_t pixel = 0;
  const std::int32_t row = 0;
  for (std::int64_t t = 0; t < g.taps(); ++t) {
    const TermSegment segment{0, tap_dwords(), 0};
    TileJob job;
    job.x = ones.data();
    job.pixels = &pixel;
    job.rows = &row;
    job.count = job.segment_count = 1;
    job.segments = &segment;
    job.w = w + t * tap_dwords() * width * 4;
    job.channels = width;
    job.start = none.data();
    job.out = out.data();
    tile_products(job);
    sums.insert(sums.end(), out.begin(), out.end());
  }
  return sums;
}

/// [segments][width]: what a sum of raw products x w, begun with start, is above the sum of (x - zero point) w after each segment.
std::vector<std::int32_t> Tiles::marks_of(const PackedPhase& packed, const std::vector<TermSegment>& after, const std::vector<std::int32_t>& start, std::int64_t width) const {
  std::vector<std::int32_t> marks(std::max<std::size_t>(after.size(), 1) * static_cast<std::size_t>(width));  // never none: a job without is not marked
  for (std::int64_t c = 0; c < width; ++c) {
    const auto* w = reinterpret_cast<const std::int8_t*>(packed.rows) + c * packed.dwords * 4;
    std::int64_t sum = 0;
    for (std::size_t s = 0; s < after.size(); ++s) {
      w += after[s].passed * 4;
      if (x_zero)
        for (std::int64_t k = 0; k < after[s].dwords * 4; ++k) sum += *w++;
      marks[s * static_cast<std::size_t>(width) + static_cast<std::size_t>(c)] = wrap32(start[static_cast<std::size_t>(c)] + x_zero * sum);
    }
  }
  return marks;
}

void Tiles::run() {
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
      if (!marked.empty()) measure(x, images);
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

void tile_sums(const StreamRequest& original, const OperandRange& range, Kind kind, const std::function<void(const SumBlock&)>& sink, StreamNotes& notes) {
  const StreamRequest request = rows_as_positions(original);
  const std::int64_t C = request.geometry.in_channels, per = kind == Kind::bytes ? 4 : 2;
  Tiles t(request, range, kind, (C + per - 1) / per * per, sink, notes);
  t.run();
}

}  // namespace lastbit
