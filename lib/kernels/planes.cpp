// planes.cpp: depthwise convolutions plane by plane. See depthwise.hpp.
//
// A padded copy of one plane stays in the cache; neighbouring outputs come from loads that lie one element apart.
#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

#include "lib/kernels/depthwise.hpp"
#include "lib/kernels/depthwise_dots.hpp"
#include "lib/kernels/layout.hpp"
#include "lib/kernels/window_plan.hpp"
#include "lib/tensor/scratch.hpp"

namespace lastbit {
namespace {

constexpr std::int64_t band_sums = 4096;  // 16 KiB

/// Rows of bytes, int8 ones flipped to uint8, into a plane whose rows are a little longer: whole pieces, written from the first row on, so that
/// what is written past a row's end the next one and the padding between them overwrite. Nothing is read from `end` on.
void copy_rows(const std::uint8_t* from, const std::uint8_t* end, std::int64_t rows, std::int64_t W, bool flip, std::uint8_t* to, std::int64_t width, std::int64_t before, std::uint8_t pad) {
  constexpr std::int64_t piece = 32;
  const std::int64_t pieces = (W + piece - 1) / piece * piece, between = width - W;
  std::uint8_t pads[8];
  std::memset(pads, pad, sizeof(pads));
  std::memset(to, pad, static_cast<std::size_t>(before));
  to += before;
  for (std::int64_t h = 0; h < rows; ++h, from += W, to += width) {
    if (end - from >= pieces)
      for (std::int64_t i = 0; i < W; i += piece) std::memcpy(to + i, from + i, piece);
    else std::memcpy(to, from, static_cast<std::size_t>(W));
    if (flip)
      for (std::int64_t i = 0; i < W; ++i) to[i] ^= 0x80;
    if (between <= 8) std::memcpy(to + W, pads, 8);  // this row's right padding and the next one's left
    else std::memset(to + W, pad, static_cast<std::size_t>(between));
  }
}

/// The plane of channel `channel`, padding included.
void copy_plane(const StreamRequest& r, const WindowPlan& plan, Kind kind, std::int64_t n, std::int64_t channel, std::byte* to) {
  const Geometry& g = r.geometry;
  const StoredOperands& in = r.operands;
  const std::int64_t I = g.in_positions(), all = g.groups, W = g.in[2], width = plan.padded[2], before = plan.axis[2].before;
  const std::int64_t step = in.channels_last ? all : 1, base = in.channels_last ? n * I * all + channel : (n * all + channel) * I;
  const bool is_negative = is_signed(in.x_dtype), rows = kind == Kind::bytes && step == 1;
  const auto pad = static_cast<std::uint8_t>(in.x_zero_point + (is_negative ? 128 : 0));
  for (std::int64_t d = 0; d < plan.padded[0]; ++d)
    for (std::int64_t h = 0; h < plan.padded[1]; ++h) {
      if (rows && h == plan.axis[1].before && g.in[1] > 0 && d >= plan.axis[0].before && d < plan.axis[0].before + g.in[0]) {
        const auto* x = reinterpret_cast<const std::uint8_t*>(in.x);
        copy_rows(x + base + (d - plan.axis[0].before) * g.in[1] * W, x + g.batch * all * I, g.in[1], W, is_negative, reinterpret_cast<std::uint8_t*>(to) + (d * plan.padded[1] + h) * width, width, before, pad);
        h += g.in[1] - 1;
        continue;
      }
      const std::int64_t sd = d - plan.axis[0].before, sh = h - plan.axis[1].before, row = (d * plan.padded[1] + h) * width;
      const bool inside = sd >= 0 && sd < g.in[0] && sh >= 0 && sh < g.in[1];
      const std::int64_t from = base + (sd * g.in[1] + sh) * W * step;
      if (kind == Kind::bytes) {
        auto* t = reinterpret_cast<std::uint8_t*>(to) + row;
        if (!inside) { std::memset(t, pad, static_cast<std::size_t>(width)); continue; }
        std::memset(t, pad, static_cast<std::size_t>(before));
        std::memset(t + before + W, pad, static_cast<std::size_t>(width - before - W));
        const auto* f = reinterpret_cast<const std::uint8_t*>(in.x) + from;
        for (std::int64_t w = 0; w < W; ++w) t[before + w] = f[w * step] ^ (is_negative ? std::uint8_t{0x80} : std::uint8_t{0});
      } else {
        auto* t = reinterpret_cast<std::int16_t*>(to) + row;
        if (!inside) { std::fill_n(t, width, std::int16_t{0}); continue; }
        std::fill_n(t, before, std::int16_t{0});
        std::fill(t + before + W, t + width, std::int16_t{0});
        const std::int64_t zero = in.x_zero_point;
        const auto convert = [&](const auto* f) { for (std::int64_t w = 0; w < W; ++w) t[before + w] = static_cast<std::int16_t>(f[w * step] - zero); };
        if (stored_bytes(in.x_dtype) == 1 && !is_negative) convert(reinterpret_cast<const std::uint8_t*>(in.x) + from);
        else if (stored_bytes(in.x_dtype) == 1) convert(reinterpret_cast<const std::int8_t*>(in.x) + from);
        else for (std::int64_t w = 0; w < W; ++w) t[before + w] = static_cast<std::int16_t>(stored_value(in.x_dtype, in.x, from + w * step) - zero);
      }
    }
}

}  // namespace

bool weights_fit_bytes(const StoredOperands& in) {
  for (std::size_t o = 0; o < std::max<std::size_t>(1, in.w_zero_point.size()); ++o)
    if (in.w_zero_point_of(static_cast<std::int64_t>(o)) != (is_signed(in.w_dtype) ? 0 : 128)) return false;
  return true;
}

bool planes_take(const StreamRequest& r, const OperandRange& range, Kind kind) {
  const Geometry& g = r.geometry;
  const StoredOperands& in = r.operands;
  if (g.in_channels != 1 || g.transposed || r.channels_last || !tiles_take(r, range, kind)) return false;
  if (range.x_size * range.w_size > 0 && g.taps() > std::numeric_limits<std::int32_t>::max() / (range.x_size * range.w_size)) return false;
  return kind == Kind::words || weights_fit_bytes(in);
}

void plane_sums(const StreamRequest& r, Kind kind, const std::function<void(const SumBlock&)>& sink) {
  thread_local Scratch planes, sums;
  const Geometry& g = r.geometry;
  const StoredOperands& in = r.operands;
  const WindowPlan plan = window_plan(g);
  const bool bytes = kind == Kind::bytes;
  const std::int64_t element = bytes ? 1 : 2, per = bytes ? 4 : 2, width = plan.padded[2], OW = g.out[2], OH = g.out[1], P = g.positions(), O = g.groups * g.out_channels;
  const std::int64_t stride = g.stride[2], taken = per % stride == 0 ? stride : 1;                  // strides that do not divide a dword: all, then every so many
  const bool flat = g.stride[1] == 1 && stride == 1;                                                // rows one after the other
  const std::int64_t pitch = flat ? width : OW, row_sums = (OW - 1) * stride / taken + 1;
  const std::int64_t band = std::clamp<std::int64_t>(band_sums / std::max(pitch, row_sums), 1, OH);
  auto* plane = planes.get<std::byte>(plan.padded_positions() * element + 512);
  auto* acc = sums.get<std::int32_t>(band * pitch + 2 * row_sums + 256);
  auto* line = acc + band * pitch + 128;
  const std::int64_t span = (g.kernel[2] - 1) * g.dilation[2] + 1;
  std::vector<PlaneTap> taps;
  std::vector<std::int32_t> row;
  for (std::int64_t n = 0; n < g.batch; ++n)
    for (std::int64_t channel = 0; channel < g.groups; ++channel) {
      copy_plane(r, plan, kind, n, channel, plane);
      for (std::int64_t o = channel * g.out_channels; o < (channel + 1) * g.out_channels; ++o) {
        taps.clear();
        std::int64_t total = 0;
        for (std::int64_t kd = 0; kd < g.kernel[0]; ++kd)
          for (std::int64_t kh = 0; kh < g.kernel[1]; ++kh) {
            row.assign(static_cast<std::size_t>((span + per - 1) / per * per), 0);
            for (std::int64_t kw = 0; kw < g.kernel[2]; ++kw) {
              const std::int64_t v = stored_value(in.w_dtype, in.w, (o * g.kernel[0] + kd) * g.kernel[1] * g.kernel[2] + kh * g.kernel[2] + kw) - in.w_zero_point_of(o);
              row[static_cast<std::size_t>(kw * g.dilation[2])] = static_cast<std::int32_t>(v);
              total += v;
            }
            for (std::size_t k = 0; k < row.size(); k += static_cast<std::size_t>(per)) {
              std::uint32_t dword = 0;
              for (std::size_t j = 0; j < static_cast<std::size_t>(per); ++j) dword |= bytes ? (static_cast<std::uint32_t>(row[k + j]) & 0xFF) << (8 * j) : (static_cast<std::uint32_t>(row[k + j]) & 0xFFFF) << (16 * j);
              if (dword) taps.push_back({((kd * g.dilation[0] * plan.padded[1] + kh * g.dilation[1]) * width + static_cast<std::int64_t>(k)) * element, static_cast<std::int32_t>(dword)});
            }
          }
        PlaneJob job;
        job.kind = kind;
        job.stride = taken;
        job.taps = taps.data();
        job.tap_count = static_cast<std::int64_t>(taps.size());
        // In bytes x keeps its zero point: x_zero * sum w goes off at the start.
        job.start = bytes ? static_cast<std::int32_t>(-(in.x_zero_point + (is_signed(in.x_dtype) ? 128 : 0)) * total) : 0;
        for (std::int64_t d = 0; d < g.out[0]; ++d)
          for (std::int64_t h = 0; h < OH; h += band) {
            const std::int64_t rows = std::min(band, OH - h);
            const auto at = [&](std::int64_t oh) {
              return plane + ((plan.axis[0].base[static_cast<std::size_t>(d)] * plan.padded[1] + plan.axis[1].base[static_cast<std::size_t>(oh)]) * width + plan.axis[2].base[0]) * element;
            };
            if (flat) {
              job.x = at(h);
              job.outputs = (rows - 1) * pitch + OW;
              job.out = acc;
              plane_products(job);
            } else {
              for (std::int64_t k = 0; k < rows; ++k) {
                job.x = at(h + k);
                job.outputs = row_sums;
                job.out = line;
                plane_products(job);
                if (taken == stride) std::copy_n(line, OW, acc + k * pitch);
                else for (std::int64_t w = 0; w < OW; ++w) acc[k * pitch + w] = line[w * stride];
              }
            }
            SumBlock block;
            block.first = (n * O + o) * P + (d * OH + h) * OW;
            block.acc_step = pitch;
            block.acc = acc;
            block.runs = pitch == OW ? 1 : rows;
            block.length = pitch == OW ? rows * OW : OW;
            block.step = OW;
            sink(block);
          }
      }
    }
}

}  // namespace lastbit
