// onednn_pairs.cpp: the kernel that runs decides how K is ordered and cut.
//
//   exact   no pairs: plain int32
//   tap     one segment per kernel tap: the channels of the group
//   flat    im2col: taps, channel fastest, cut as gemm_s8u8s32 cuts K
//   wi      one input channel: one segment per kernel row
//   whi     one input channel: all taps, kw slowest, kh fastest
//   col2im  transposed: one segment per tap, cut as gemm_s8u8s32 cuts K
//   linear  one segment (AVX-512), or cut as gemm_s8u8s32 cuts K
//
// oneDNN: src/cpu/x64/jit_uni_x8s8s32x_convolution, jit_brgemm_conv_utils.cpp init_scratchpad, gemm_driver.cpp get_k_padd.
#include "lib/rules/onednn_pairs.hpp"

#include <algorithm>
#include <numeric>

namespace lastbit {
namespace {

using i64 = std::int64_t;
i64 divide_up(i64 v, i64 m) { return (v + m - 1) / m; }
i64 round_up(i64 v, i64 m) { return divide_up(v, m) * m; }

/// Cuts a K of n into the blocks of gemm_s8u8s32. Visible only where a block is odd.
std::vector<std::pair<i64, i64>> gemm_blocks(i64 n, const std::string& kernels) {
  const auto of = [&](const char* isa) { return kernels.rfind(isa, 0) == 0; };
  const i64 one = of("avx512") ? 384 : 256, block = of("avx512") ? 768 : of("avx2") ? 384 : 256;
  const i64 size = n <= one ? n : n < 2 * block ? (n + 1) / 2 : block;
  std::vector<std::pair<i64, i64>> cuts;
  for (i64 at = 0; at < n; at += size) cuts.emplace_back(at, std::min(at + size, n));
  return cuts;
}

enum class Plan { exact, tap, flat, wi, whi };

struct Shape3 {
  int dims;
  i64 O, Og, Cg, groups;
  std::array<i64, 3> in, k, s, p, d, out;
};

/// brgconv books scratch memory for its copying forms and gives them up when that exceeds 64 * threads * (bytes of x, w, y).
bool trans_fits(const Shape3& c, Plan kind, bool trans, i64 batch, bool x_zero_point, bool scaled, i64 y_bytes) {
  const i64 page = 4096, oc = c.Og;
  const bool whi = kind == Plan::whi;
  const i64 ih = c.dims > 1 ? c.in[1] : 1, iw = c.in[2], kh = c.dims > 1 ? c.k[1] : 1, kw = c.k[2];
  const i64 sh = c.dims > 1 ? c.s[1] : 1, sw = c.s[2], tp = c.dims > 1 ? c.p[1] : 0, lp = c.p[2], dh = c.dims > 1 && kh > 1 ? c.d[1] : 1;
  const bool deep = c.dims == 3;
  const i64 kd = deep ? c.k[0] : 1, sd = deep ? c.s[0] : 1, fp = deep ? c.p[0] : 0, id = deep ? c.in[0] : 1, dd = deep && c.k[0] > 1 ? c.d[0] : 1;
  const i64 ekd = (kd - 1) * dd + 1, ekh = (kh - 1) * dh + 1, ekw = kw;
  const i64 od = (id + 2 * fp - ekd) / sd + 1, oh = (ih + 2 * tp - ekh) / sh + 1, ow = (iw + 2 * lp - ekw) / sw + 1;
  if (od < 1 || oh < 1 || ow < 1) return true;  // padded unevenly: another runtime's
  const auto end = [](i64 p, i64 o, i64 i, i64 s, i64 ek) { return (o - 1) * s + ek - (i + p); };
  const i64 bk = end(fp, od, id, sd, ekd), bp = end(tp, oh, ih, sh, ekh), rp = end(lp, ow, iw, sw, ekw);
  const auto extent = [&](i64 most, i64 o, i64 k, i64 s, i64 ek) { return std::min(most, end(0, o, 0, std::min(k, s), ek)); };
  const i64 oh_block = whi ? 1 : oh, rd = whi ? kw * kh : kw, koef = whi ? 1 : kh;
  const i64 ds = extent(id + fp + bk, 1, kd, sd, ekd) + std::max<i64>(0, fp) + std::max<i64>(0, bk);
  i64 hs = extent(ih + tp + bp, oh_block, kh, sh, ekh) + std::max<i64>(0, tp) + std::max<i64>(0, bp);
  const i64 iwp = iw + lp + rp;
  const i64 icb = trans && c.Cg <= 64 ? round_up(c.Cg, 4) : trans ? round_up(c.Cg, 64) : 1;
  const i64 lda = icb * (whi ? kh : 1) * sw * (ow == 1 ? ekw : 1);
  if (kd > fp && kd > bk && kh > tp && kh > bp && kw > rp && kw > lp && iwp < 10800 && sh == 1 && (ow == 1 || ekw <= sw)) {
    const i64 sp = ow * oh_block;
    i64 osk = ow == 1 ? 0 : (ekw - 1) / sw * (whi ? 1 : sh);
    if (!whi) osk += (sh - 1) * ow;
    const i64 M = round_up(sp + osk * (divide_up(sp, ow) - 1), 16);
    hs = divide_up(round_up(hs * iwp, M), iwp) + kh * dh;
  }
  const i64 inp = (whi ? kh : 1) * ds * hs * iwp * c.groups * lda + (whi ? (oh - 1) * oh_block * sh * lda + lda : 0);
  i64 ocb = 16 * std::min<i64>(4, divide_up(oc, 16));
  if (ocb == 48 && id * ih * iw <= 81 * sd * sh * sw) ocb = 32;
  const i64 oc_x = round_up(oc, ocb), pad_rd = 4 * (rd > 64 ? 16 : 1);
  i64 total = divide_up(round_up(kd * (whi ? 1 : kh) * 40, page), 40) * 40 + page;
  total += round_up(inp, page) + page + round_up(od * divide_up(oh, oh_block) * c.groups, page) + page;
  total += (trans ? 0 : round_up(c.groups * oc_x * koef * round_up(rd, pad_rd), 1024) + page) + (scaled ? 16384 + page : 0);
  if (x_zero_point && (tp || lp || fp || bp || rp || bk)) {
    const i64 rows = (1 + divide_up(std::abs(fp), dd) + divide_up(std::abs(bk), dd)) *
                     std::min(oh, round_up(oh_block + 1 + divide_up(std::abs(tp), dh) + divide_up(std::abs(bp), dh), oh_block));
    total += c.groups * oc_x * rows * ow * 4 + page;
  }
  const i64 oc16 = trans ? oc_x : round_up(oc, 16);
  const i64 most = 64 * (batch * c.groups * c.Cg * id * ih * iw + c.groups * oc16 * round_up(c.Cg, trans ? 4 : 1) * kd * kh * kw +
                         (x_zero_point ? 4 * c.groups * oc16 : 0) + batch * c.O * od * oh * ow * y_bytes);
  return total <= most;
}

struct Choice {
  Plan plan;
  int dims;
};

Choice choose(const Layer& layer, const Geometry& g, const std::string& kernels) {
  const int dims = static_cast<int>(layer.in("x").rank()) - 2;
  const Shape3 c{dims, g.groups * g.out_channels, g.out_channels, g.in_channels, g.groups, g.in, g.kernel, g.stride, g.begin, g.dilation, g.out};
  const bool wide = kernels.rfind("avx512", 0) == 0;
  const bool quarters = c.Cg % 4 == 0 && c.Og % 4 == 0;
  if (g.groups > 1 && c.Cg == 1 && c.Og == 1) return {dims == 3 && wide ? Plan::flat : Plan::exact, dims};
  if (kernels == "avx512 2.6") return {g.groups > 1 && !quarters ? Plan::flat : Plan::tap, dims};
  if (!wide) return {g.groups > 1 && !quarters ? Plan::exact : Plan::tap, dims};
  const Tensor& x = layer.in("x");
  const Tensor* y = layer.has_out("y") ? &layer.out("y") : nullptr;
  const bool zero_point = x.q.integer_zero_point() != 0, scaled = !y || !y->q.quantized() || y->q.scale_of(0) != 1.0;
  const i64 y_bytes = y ? stored_bytes(y->dtype) : 4;
  const auto fits = [&](Plan kind, bool trans) { return trans_fits(c, kind, trans, g.batch, zero_point, scaled, y_bytes); };
  if (c.Cg == 1 && !g.transposed && !layer.is("vbmi:absent")) {  // "relo": the taps become K; needs VBMI of the processor
    const i64 kh = dims > 1 ? c.k[1] : 1, kw = c.k[2], ow = c.out[2];
    const bool whi = kh > 1 && ow > 4 && dims < 3 && c.d[2] == 1 && (dims < 2 || c.d[1] == 1);
    const bool wi = !whi && kw > 1 && c.d[2] == 1 && (dims < 3 || c.in[0] == 1);
    if (whi || wi) {
      const Plan kind = whi ? Plan::whi : Plan::wi;
      return {fits(kind, false) ? kind : g.groups > 1 ? Plan::flat : Plan::tap, dims};
    }
  }
  const i64 most_k = std::max({c.k[0], c.k[1], c.k[2]}), most_p = std::max({c.p[0], c.p[1], c.p[2]});
  if (g.groups > 1 && !quarters && c.k[2] == 1 && c.out[2] == 1 && (most_k > 1 || most_p > 0) && c.out[0] == 1 && !fits(Plan::tap, true)) return {Plan::flat, dims};
  return {Plan::tap, dims};
}

}  // namespace

std::vector<Segment> onednn_segments(const Layer& layer, const Geometry& g, const std::string& kernels) {
  std::vector<Segment> segments;
  const auto C = static_cast<std::int32_t>(g.in_channels), T = static_cast<std::int32_t>(g.taps());
  const auto add_cut = [&](const Segment& all) {
    for (const auto& [from, to] : gemm_blocks(static_cast<i64>(all.size()), kernels)) segments.emplace_back(all.begin() + from, all.begin() + to);
  };
  Segment all(static_cast<std::size_t>(C) * static_cast<std::size_t>(T));
  std::iota(all.begin(), all.end(), 0);
  if (layer.op.rfind("conv", 0) != 0) {
    if (kernels == "avx512") segments.push_back(all);
    else add_cut(all);
    return segments;
  }
  if (kernels.ends_with(" col2im")) {  // a matrix product a tap
    for (std::int32_t t = 0; t < T; ++t) add_cut(Segment(all.begin() + t * C, all.begin() + (t + 1) * C));
    return segments;
  }
  const auto kw = static_cast<std::int32_t>(g.kernel[2]), kh = static_cast<std::int32_t>(g.kernel[1]), kd = static_cast<std::int32_t>(g.kernel[0]);
  switch (choose(layer, g, kernels).plan) {
    case Plan::exact: break;
    case Plan::flat: add_cut(all); break;
    case Plan::tap:
      for (std::int32_t t = 0; t < T; ++t) segments.emplace_back(all.begin() + t * C, all.begin() + (t + 1) * C);
      break;
    case Plan::wi:
      for (std::int32_t row = 0; row < kd * kh; ++row) segments.emplace_back(all.begin() + row * kw, all.begin() + (row + 1) * kw);
      break;
    case Plan::whi: {
      Segment order;
      for (std::int32_t w = 0; w < kw; ++w)
        for (std::int32_t h = 0; h < kh; ++h)
          for (std::int32_t d = 0; d < kd; ++d) order.push_back((d * kh + h) * kw + w);
      segments.push_back(std::move(order));
      break;
    }
  }
  return segments;
}

bool onednn_falls_to_gemm(const Layer& layer, const Geometry& g) { return !g.transposed && choose(layer, g, "avx512").plan == Plan::flat; }

}  // namespace lastbit
