// stream.cpp: see stream.hpp.
#include "lib/kernels/stream.hpp"

#include <vector>

#include "lib/error.hpp"

namespace lastbit {
namespace {

std::int32_t read(DType d, const std::byte* p, std::int64_t i) {
  switch (d) {
    case DType::uint8: case DType::uint4: case DType::uint2: return static_cast<std::int32_t>(reinterpret_cast<const std::uint8_t*>(p)[i]);
    case DType::int8: case DType::int4: case DType::int2: return static_cast<std::int32_t>(reinterpret_cast<const std::int8_t*>(p)[i]);
    case DType::int16: return static_cast<std::int32_t>(reinterpret_cast<const std::int16_t*>(p)[i]);
    case DType::uint16: return static_cast<std::int32_t>(reinterpret_cast<const std::uint16_t*>(p)[i]);
    case DType::int32: return reinterpret_cast<const std::int32_t*>(p)[i];
    default: ensure(false, "an operand of an accumulation is not an integer of at most 32 bits");
  }
  return 0;
}

/// Values of [outer, inner, last] read as [outer, last, inner] when `swap`.
std::vector<std::int32_t> widened(DType d, const std::byte* p, std::int64_t outer, std::int64_t inner, std::int64_t last, bool swap) {
  std::vector<std::int32_t> v(static_cast<std::size_t>(outer * inner * last));
  for (std::int64_t o = 0; o < outer; ++o)
    for (std::int64_t a = 0; a < inner; ++a)
      for (std::int64_t b = 0; b < last; ++b) v[static_cast<std::size_t>((o * inner + a) * last + b)] = read(d, p, swap ? (o * last + b) * inner + a : (o * inner + a) * last + b);
  return v;
}

}  // namespace

std::string stream_sums(const StreamRequest& request, const std::function<void(const SumBlock&)>& sink, double* pack_seconds) {
  const Geometry& g = request.geometry;
  const StoredOperands& in = request.operands;
  if (pack_seconds) *pack_seconds = 0;
  const std::int64_t O = g.groups * g.out_channels, P = g.positions();
  const auto x = widened(in.x_dtype, in.x, g.batch, g.groups * g.in_channels, g.in_positions(), in.channels_last);
  const auto w = widened(in.w_dtype, in.w, O, g.in_channels, g.taps(), in.w_channels_last);
  std::string kernel;
  const auto acc = accumulate(g, {x, w, in.x_zero_point, in.w_zero_point}, kernel);
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
  return kernel;
}

}  // namespace lastbit
