// columns.cpp: see columns.hpp.
//
// acc = sum xw - xz sum w, x as uint8 and w as int8 (lib/kernels/tiles.cpp).
#include "lib/kernels/columns.hpp"

#include <algorithm>
#include <limits>

#include "lib/kernels/column_dots.hpp"
#include "lib/kernels/layout.hpp"
#include "lib/kernels/rows.hpp"
#include "lib/kernels/target.hpp"
#include "lib/tensor/scratch.hpp"

namespace lastbit {
namespace {

constexpr std::int64_t longest = 65536;       // terms: of 255 * 128, |x - xz| by |w|, they fit int32
constexpr std::int64_t block_channels = 256;  // of a SumBlock
static_assert(longest * 255 * 128 <= std::numeric_limits<std::int32_t>::max());

}  // namespace

bool columns_take(const StreamRequest& r) {
  const Geometry& g = r.geometry;
  const StoredOperands& in = r.operands;
  if (!kernel_target().bytes || r.terms || !few_rows(g) || g.in_channels > longest) return false;
  if (stored_bytes(in.x_dtype) != 1 || stored_bytes(in.w_dtype) != 1) return false;
  const std::int64_t xz = in.x_zero_point + (is_signed(in.x_dtype) ? 128 : 0), wz = is_signed(in.w_dtype) ? 0 : 128;
  if (xz < 0 || xz > 255) return false;
  return in.w_zero_point.empty() ? wz == 0 : std::all_of(in.w_zero_point.begin(), in.w_zero_point.end(), [&](std::int64_t z) { return z == wz; });
}

void column_sums(const StreamRequest& request, const std::function<void(const SumBlock&)>& sink, StreamNotes& notes) {
  thread_local Scratch laid, sums, narrow;
  const Geometry& g = request.geometry;
  const StoredOperands& in = request.operands;
  const std::int64_t K = g.in_channels, O = g.out_channels, rows = g.batch, x_stride = (K + 63) / 64 * 64;
  const std::int64_t stride = (O + columns_a_block - 1) / columns_a_block * columns_a_block;
  ColumnsJob job;
  job.w_dtype = in.w_dtype;
  job.x = lay_rows(request, Kind::bytes, x_stride, laid).x;
  job.x_stride = x_stride;
  job.rows = rows;
  job.w = in.w;
  job.columns = O;
  job.terms = K;
  job.out = sums.get<std::int32_t>((rows + 2) * stride);
  job.w_sum = job.out + rows * stride;
  job.w_size = job.w_sum + stride;
  column_dots(job);
  const std::int64_t xz = in.x_zero_point + (is_signed(in.x_dtype) ? 128 : 0);
  notes.w_sum.resize(static_cast<std::size_t>(O));
  notes.w_size.resize(static_cast<std::size_t>(O));
  for (std::int64_t o = 0; o < O; ++o) {
    notes.w_sum[static_cast<std::size_t>(o)] = job.w_sum[column_place(o)];
    notes.w_size[static_cast<std::size_t>(o)] = job.w_size[column_place(o)];
  }
  auto* acc = narrow.get<std::int32_t>(rows * block_channels);
  for (std::int64_t o = 0; o < O; o += block_channels) {
    const std::int64_t channels = std::min(block_channels, O - o);
    for (std::int64_t r = 0; r < rows; ++r)
      for (std::int64_t c = 0; c < channels; ++c) {
        const std::int64_t place = column_place(o + c), sum = job.out[r * stride + place] - xz * job.w_sum[place];
        acc[r * channels + c] = static_cast<std::int32_t>(sum);
      }
    sink(block_of_rows(g, o, channels, acc));
  }
}

}  // namespace lastbit
