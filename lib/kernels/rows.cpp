// rows.cpp: see rows.hpp.
//
// acc = sum xw - xz sum w - wz sum x + K xz wz for bytes (lib/kernels/tiles.cpp); words have their zero points taken off as they are loaded.
// Chunks of K are short enough for int32 whatever the numbers are; they add up in int64.
#include "lib/kernels/rows.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "lib/kernels/layout.hpp"
#include "lib/kernels/row_dots.hpp"
#include "lib/kernels/signed_sums.hpp"
#include "lib/tensor/scratch.hpp"

namespace lastbit {
namespace {

constexpr std::int64_t most_rows = 8;
constexpr std::int64_t block_channels = 256;

std::int64_t byte_sum(const std::byte* p, std::int64_t n) {
  constexpr std::int64_t fits = 1 << 24;  // bytes whose sum fits uint32
  std::int64_t sum = 0;
  for (std::int64_t from = 0; from < n; from += fits) {
    std::uint32_t part = 0;
    for (std::int64_t k = from; k < std::min(n, from + fits); ++k) part += std::to_integer<std::uint32_t>(p[k]);
    sum += part;
  }
  return sum;
}

}  // namespace

bool few_rows(const Geometry& g) {
  return g.in_positions() == 1 && g.positions() == 1 && g.taps() == 1 && g.groups == 1 && !g.transposed && g.begin == std::array<std::int64_t, 3>{0, 0, 0} && g.batch <= most_rows;
}

LaidRows lay_rows(const StreamRequest& request, Kind kind, std::int64_t x_stride, Scratch& to) {
  const Geometry& g = request.geometry;
  const StoredOperands& in = request.operands;
  const std::int64_t element = kind == Kind::bytes ? 1 : 2;
  LaidRows laid;
  for (std::int64_t r = 0; r < g.batch; ++r) laid.offsets.push_back(r * x_stride * element);
  LayJob lay;
  lay.kind = kind;
  lay.dtype = in.x_dtype;
  lay.from = in.x;
  lay.channels = g.in_channels;
  lay.padded_channels = x_stride;
  lay.positions = g.batch;
  lay.channel_stride = 1;
  lay.position_stride = g.in_channels;
  lay.offsets = laid.offsets.data();
  lay.to = to.get<std::byte>(g.batch * x_stride * element);
  lay.zero_point = in.x_zero_point;
  lay_input(lay);
  laid.x = lay.to;
  return laid;
}

SumBlock block_of_rows(const Geometry& g, std::int64_t first, std::int64_t channels, const std::int32_t* acc) {
  SumBlock block;
  block.first = first;
  block.runs = g.batch;
  block.step = g.out_channels;
  block.length = channels;
  block.acc_step = channels;
  block.acc = acc;
  return block;
}

bool rows_take(const StreamRequest& r, const OperandRange& range, Kind kind) {
  const DType w = r.operands.w_dtype;
  if (!few_rows(r.geometry) || !tiles_take(r, range, kind)) return false;
  if (kind == Kind::bytes) return true;
  // A whole vector of products must fit int32.
  return (stored_bytes(w) == 1 || w == DType::int16) && range.x_size * range.w_size <= std::numeric_limits<std::int32_t>::max() / (2 * kernel_target().lanes);
}

void row_sums(const StreamRequest& request, const OperandRange& range, Kind kind, const std::function<void(const SumBlock&)>& sink) {
  thread_local Scratch laid, sums, narrow, peaks;
  const Geometry& g = request.geometry;
  const StoredOperands& in = request.operands;
  const bool bytes = kind == Kind::bytes;
  const std::int64_t K = g.in_channels, O = g.out_channels, rows = g.batch, element = bytes ? 1 : 2, w_bytes = stored_bytes(in.w_dtype);
  const std::int64_t vector = 4 * kernel_target().lanes, x_stride = (K * element + vector - 1) / vector * vector;
  const auto [x, offsets] = lay_rows(request, kind, x_stride / element, laid);
  const std::int64_t xz = bytes ? in.x_zero_point + (is_signed(in.x_dtype) ? 128 : 0) : 0, flip = bytes && !is_signed(in.w_dtype) ? 128 : 0;
  const auto wz = [&](std::int64_t o) { return in.w_zero_point_of(o) - flip; };
  std::vector<std::int64_t> x_sum(static_cast<std::size_t>(rows));
  if (bytes)
    for (std::int64_t r = 0; r < rows; ++r) x_sum[static_cast<std::size_t>(r)] = byte_sum(x + r * x_stride, K);

  // Chunks of whole vectors.
  const std::int64_t int32_max = std::numeric_limits<std::int32_t>::max(), per = vector / element;
  const std::int64_t exact = bytes ? 65792 : int32_max / std::max<std::int64_t>(1, range.x_size * range.w_size), chunk = std::max<std::int64_t>(per, exact / per * per);
  std::vector<std::int32_t> zeros(static_cast<std::size_t>(block_channels));
  std::vector<double> w_norm(static_cast<std::size_t>(block_channels));
  const bool tells = request.terms && bytes && flip == 0 && K % 4 == 0 && std::all_of(in.w_zero_point.begin(), in.w_zero_point.end(), [](std::int64_t z) { return z == 0; });
  const TermSegment whole{0, K / 4};
  BlockTerms terms{static_cast<std::int32_t>(xz), x, offsets.data(), &whole, 1, nullptr, K, w_norm.data(), 0, K};
  if (tells) {
    std::vector<std::int64_t> squares(static_cast<std::size_t>(rows));
    square_sums(x, rows, x_stride, K, static_cast<std::int32_t>(xz), squares.data());
    terms.x_norm = std::sqrt(static_cast<double>(*std::max_element(squares.begin(), squares.end())));
  }
  for (std::int64_t o = 0; o < O; o += block_channels) {
    const std::int64_t channels = std::min(block_channels, O - o);
    auto* out = sums.get<std::int64_t>((rows + 1) * channels);
    std::fill_n(out, (rows + 1) * channels, 0);
    RowsJob job;
    job.kind = kind;
    job.w_dtype = in.w_dtype;
    job.x_stride = x_stride;
    job.rows = rows;
    job.w_stride = K * w_bytes;
    job.channels = channels;
    for (std::int64_t c = 0; c < channels; ++c) zeros[static_cast<std::size_t>(c)] = static_cast<std::int32_t>(wz(o + c));
    job.w_zero = zeros.data();
    job.out = out;
    job.w_sum = out + rows * channels;
    for (std::int64_t k = 0; k < K; k += chunk) {
      job.x = x + k * element;
      job.w = in.w + (o * K + k) * w_bytes;
      job.terms = std::min(chunk, K - k);
      row_dots(job);
    }
    auto* acc = narrow.get<std::int32_t>(rows * channels);
    bool fits = true;
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t c = 0; c < channels; ++c) {
        std::int64_t& sum = out[r * channels + c];
        if (bytes) sum += K * xz * wz(o + c) - xz * job.w_sum[c] - wz(o + c) * x_sum[static_cast<std::size_t>(r)];
        acc[r * channels + c] = static_cast<std::int32_t>(static_cast<std::uint32_t>(static_cast<std::uint64_t>(sum)));
        fits = fits && acc[r * channels + c] == sum;
      }
    SumBlock block = block_of_rows(g, o, channels, fits ? acc : nullptr);
    block.wide = fits ? nullptr : out;
    if (tells && fits) {
      auto* peak = peaks.get<std::int32_t>(rows * channels);
      for (std::int64_t i = 0; i < rows * channels; ++i) peak[i] = static_cast<std::int32_t>(std::min(std::abs(std::int64_t{acc[i]}), int32_max));
      for (std::int64_t c = 0; c < channels; ++c) w_norm[static_cast<std::size_t>(c)] = std::sqrt(static_cast<double>(square_sum(in.w + (o + c) * K, K)));
      terms.w = in.w + o * K;
      block.terms = &terms;
      block.peak = peak;
    }
    sink(block);
  }
}

}  // namespace lastbit
