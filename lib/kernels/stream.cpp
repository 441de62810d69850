// stream.cpp: which kernel takes a request. See stream.hpp.
#include "lib/kernels/stream.hpp"

#include <optional>
#include <vector>

#include "lib/error.hpp"
#include "lib/kernels/columns.hpp"
#include "lib/kernels/depthwise.hpp"
#include "lib/kernels/layout.hpp"
#include "lib/kernels/rows.hpp"
#include "lib/kernels/tiles.hpp"

namespace lastbit {
namespace {

/// Values of [outer, inner, last] read as [outer, last, inner] when `swap`.
std::vector<std::int32_t> widened(DType d, const std::byte* p, std::int64_t outer, std::int64_t inner, std::int64_t last, bool swap) {
  std::vector<std::int32_t> v(static_cast<std::size_t>(outer * inner * last));
  for (std::int64_t o = 0; o < outer; ++o)
    for (std::int64_t a = 0; a < inner; ++a)
      for (std::int64_t b = 0; b < last; ++b) v[static_cast<std::size_t>((o * inner + a) * last + b)] = stored_value(d, p, swap ? (o * last + b) * inner + a : (o * inner + a) * last + b);
  return v;
}

/// The plain loop: numbers beyond 16 bits, and windows that are nearly all padding.
void plain_sums(const StreamRequest& request, const std::function<void(const SumBlock&)>& sink) {
  const Geometry& g = request.geometry;
  const StoredOperands& in = request.operands;
  const std::int64_t O = g.groups * g.out_channels, P = g.positions();
  const auto x = widened(in.x_dtype, in.x, g.batch, g.groups * g.in_channels, g.in_positions(), in.channels_last);
  const auto w = widened(in.w_dtype, in.w, O, g.in_channels, g.taps(), in.w_channels_last);
  const auto acc = accumulate_plain(g, {x, w, in.x_zero_point, in.w_zero_point});
  std::vector<std::int64_t> run(static_cast<std::size_t>(request.channels_last ? O : P));
  for (std::int64_t n = 0; n < g.batch; ++n)
    for (std::int64_t r = 0; r < (request.channels_last ? P : O); ++r) {
      for (std::size_t i = 0; i < run.size(); ++i) {
        const auto at = static_cast<std::int64_t>(i);
        run[i] = acc[static_cast<std::size_t>(request.channels_last ? (n * O + at) * P + r : (n * O + r) * P + at)];
      }
      SumBlock block;
      block.length = static_cast<std::int64_t>(run.size());
      block.first = (n * (request.channels_last ? P : O) + r) * block.length;
      block.runs = 1;
      block.wide = run.data();
      if (block.length) sink(block);
    }
}

}  // namespace

std::string stream_sums(const StreamRequest& request, const std::function<void(const SumBlock&)>& sink, StreamNotes* asked) {
  const Geometry& g = request.geometry;
  for (const DType d : {request.operands.x_dtype, request.operands.w_dtype}) ensure(!is_float(d) && info(d).bits <= 32, "an operand of an accumulation is an integer of at most 32 bits");
  StreamNotes unasked, &notes = asked ? *asked : unasked;
  notes = {};
  if (g.batch * g.groups * g.out_channels * g.positions() == 0) return "none";
  const KernelTarget target = kernel_target();
  const OperandRange range = operand_range(request);
  std::string name = "plain";
  const auto best = [&](auto take) { return target.bytes && take(Kind::bytes) ? std::optional(Kind::bytes) : take(Kind::words) ? std::optional(Kind::words) : std::nullopt; };
  if (request.operands.w_terms_first) {
    ensure(columns_take(request), "weights that lie term by term are those of few rows of bytes");
    column_sums(request, sink, notes);
    name = "columns@" + target.name;
  } else if (const auto rows = best([&](Kind k) { return rows_take(request, range, k); })) {
    row_sums(request, range, *rows, sink);
    name = "rows@" + target.name;
  } else if (const auto planes = best([&](Kind k) { return planes_take(request, range, k); })) {
    plane_sums(request, *planes, sink);
    name = "depthwise@" + target.name;
  } else if (target.bytes && quads_take(request, range)) {
    quad_sums(request, sink, notes);
    name = "quads@" + target.name;
  } else if (channels_take(request, range)) {
    channel_sums(request, sink, notes.pack_seconds);
    name = "depthwise@" + target.name;
  } else if (const auto tiles = best([&](Kind k) { return tiles_take(request, range, k); })) {
    tile_sums(request, range, *tiles, sink, notes);
    name = *tiles == Kind::bytes ? "vnni512" : "int16@" + target.name;
  } else {
    plain_sums(request, sink);
  }
  return name;
}

}  // namespace lastbit
