// fbgemm: its direct transposed convolution, with its faults (2.13.0; in the source since 2022).
//
//   dot(h,w;o,i,j) = sum over pairs of channels of sat16(x0*W0 + x1*W1)     pairs saturate on every instruction set
//   A[h+i, w*s1+j, o]    += dot             rows are accumulated at stride 1, whatever the vertical stride s0
//   C[h*s0+i, w*s1+j, o] += sum W - I*zw    the column sums at the true stride
//   acc = wrap32(A - zx*C - zw*R), R the sums of x at A's places
#include <algorithm>

#include "lib/num/int.hpp"
#include "verifier/cause.hpp"

namespace lastbit::causes {
namespace {

/// Accumulators of all elements: [N, O, OH, OW]. Only image 0 is computed by FBGEMM; the others are left exact.
std::vector<std::int64_t> direct(const Case& c) {
  const Geometry& g = c.geometry();
  const AccumulationInput& in = c.input();
  const std::int64_t H = g.in[1], W = g.in[2], I = g.in_channels, O = g.out_channels, KW = g.kernel[2], T = g.taps(), OH = g.out[1], OW = g.out[2], P = OH * OW;
  const std::int64_t s0 = g.stride[1], s1 = g.stride[2];
  std::vector<std::int64_t> A(static_cast<std::size_t>(O * P)), C(A.size()), R(static_cast<std::size_t>(P));
  // Bytes: the weights by tap, channels last, and their sums; a place's inputs, whose sum is R's.
  std::vector<std::int32_t> w, x(static_cast<std::size_t>(I));
  std::vector<std::int64_t> column_sums;
  for (std::int64_t t = 0; t < T; ++t)
    for (std::int64_t o = 0; o < O; ++o) {
      std::int64_t weights = 0;
      for (std::int64_t k = 0; k < I; ++k) w.push_back(in.w[static_cast<std::size_t>((o * I + k) * T + t)]), weights += w.back();
      column_sums.push_back(weights);
    }
  const auto wz = [&](std::int64_t o) { return in.w_zero_point.size() == 1 ? in.w_zero_point[0] : in.w_zero_point[static_cast<std::size_t>(o)]; };
  for (std::int64_t h = 0; h < H; ++h)
    for (std::int64_t at = 0; at < W; ++at) {
      std::int64_t inputs = 0;
      for (std::int64_t k = 0; k < I; ++k) inputs += x[static_cast<std::size_t>(k)] = in.x[static_cast<std::size_t>((k * H + h) * W + at)];
      for (std::int64_t t = 0; t < T; ++t) {
        const std::int64_t i = t / KW, j = t % KW, row = h + i, column = at * s1 + j, true_row = h * s0 + i;
        if (column >= OW) continue;
        const bool inside = row < OH;
        if (inside) R[static_cast<std::size_t>(row * OW + column)] += inputs;
        for (std::int64_t o = 0; o < O; ++o) {
          if (inside) {
            const std::int32_t* of_channel = &w[static_cast<std::size_t>((t * O + o) * I)];
            std::int64_t dot = 0;
            for (std::size_t k = 0; k < x.size(); k += 2) dot += std::clamp(x[k] * of_channel[k] + x[k + 1] * of_channel[k + 1], -32768, 32767);  // two products of bytes
            A[static_cast<std::size_t>(o * P + row * OW + column)] += dot;
          }
          if (true_row < OH) C[static_cast<std::size_t>(o * P + true_row * OW + column)] += column_sums[static_cast<std::size_t>(t * O + o)] - I * wz(o);
        }
      }
    }
  std::vector<std::int64_t> acc = c.accumulators();
  for (std::int64_t o = 0; o < O; ++o)
    for (std::int64_t p = 0; p < P; ++p)
      acc[static_cast<std::size_t>(o * P + p)] = wrap32(A[static_cast<std::size_t>(o * P + p)] - in.x_zero_point * C[static_cast<std::size_t>(o * P + p)] - wz(o) * R[static_cast<std::size_t>(p)]);
  return acc;
}

std::vector<Suspect> suspects(const Case& c) {
  if (!c.accumulates() || !c.layer.is("fbgemm_direct") || info(c.left().dtype).bits > 8 || info(c.right().dtype).bits > 8) return {};
  const auto acc = std::make_shared<std::optional<std::vector<std::int64_t>>>();
  Suspect s = suspect(c, "fbgemm:direct-transpose",
                      "FBGEMM's direct transposed convolution: rows are accumulated at vertical stride 1, int16 pairs saturate, and only the first image of a batch is computed (a bug of FBGEMM since 2022).",
                      {.sum = [&c, acc](std::int64_t element) {
                        if (!*acc) *acc = direct(c);
                        return (**acc)[static_cast<std::size_t>(element)];
                      }}, 9);
  return {s};
}

}  // namespace

Cause fbgemm() { return {"fbgemm", "FBGEMM's direct transposed convolution", {"fbgemm:direct-transpose"}, suspects}; }

}  // namespace lastbit::causes
