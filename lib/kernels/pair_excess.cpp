// pair_excess.cpp: see accumulate.hpp.
#include <algorithm>

#include "lib/kernels/accumulate.hpp"
#include "lib/kernels/pair_block.hpp"
#include "lib/kernels/scratch.hpp"
#include "lib/num/int.hpp"

namespace lastbit {
namespace {

constexpr std::int64_t terms_at_once = 16384;  // each adds at most 255 * 255 * 2 - 32767 < 2^17

}  // namespace

std::vector<std::int64_t> pair_excess(const Geometry& g, const Operands& in, const std::vector<Segment>& segments, std::int32_t outside,
                                      std::int32_t x_min, std::int32_t x_max) {
  thread_local Scratch block;
  const auto source = sources(g);
  const std::int64_t P = g.positions(), T = g.taps(), I = g.in_positions(), C = g.in_channels, O = g.out_channels;
  std::vector<std::int64_t> excess(static_cast<std::size_t>(g.batch * g.groups * O * P));
  struct Pair { std::int32_t first, second; };
  std::vector<Pair> pairs;
  for (const auto& s : segments)
    for (std::size_t i = 0; i + 1 < s.size(); i += 2) pairs.push_back({s[i], s[i + 1]});
  const auto weight = [&](std::int64_t o, std::int32_t term) { return in.w[static_cast<std::size_t>((o * C + term % C) * T + term / C)]; };
  // Pairs that can saturate at all, and whether their numbers fit the block's.
  std::vector<std::vector<PairTerm>> candidates(static_cast<std::size_t>(g.groups * O));
  const std::int64_t least = x_min, most = x_max;  // of any width: a rival may be tried on operands of 32 bits
  const auto small = [](std::int64_t v) { return v >= -255 && v <= 255; };
  bool fits = small(x_min) && small(x_max) && small(outside), any = false;
  for (std::int64_t o = 0; o < g.groups * O; ++o)
    for (const auto& pair : pairs) {
      const auto w0 = weight(o, pair.first), w1 = weight(o, pair.second);
      const auto high = std::max(w0 * least, w0 * most) + std::max(w1 * least, w1 * most);
      const auto low = std::min(w0 * least, w0 * most) + std::min(w1 * least, w1 * most);
      if (high <= 32767 && low >= -32768) continue;
      candidates[static_cast<std::size_t>(o)].push_back({pair.first, pair.second, w0, w1});
      fits = fits && small(w0) && small(w1);
      any = true;
    }
  if (!any) return excess;
  fits = fits && std::all_of(in.x.begin(), in.x.end(), small);
  // Values of every term at a block of positions, term by term: [T * C][pair_positions].
  auto* raw = block.get<std::int16_t>(T * C * pair_positions);
  // Positions of all images are one sequence: the rows of a matrix product, too, fill whole blocks.
  std::int64_t input[pair_positions], output[pair_positions], at[pair_positions];
  for (std::int64_t group = 0; group < g.groups; ++group)
    for (std::int64_t first = 0; first < g.batch * P; first += pair_positions) {
      const std::int64_t count = std::min(pair_positions, g.batch * P - first);
      for (std::int64_t i = 0; i < count; ++i) {
        const std::int64_t n = (first + i) / P;
        at[i] = (first + i) % P;
        input[i] = (n * g.groups + group) * C * I;
        output[i] = n * g.groups * O * P + at[i];
      }
      const auto value = [&](std::int64_t t, std::int64_t c, std::int64_t i) {
        const std::int64_t s = source[static_cast<std::size_t>(at[i] * T + t)];
        return s < 0 ? outside : in.x[static_cast<std::size_t>(input[i] + c * I + s)];
      };
      if (fits)
        for (std::int64_t t = 0; t < T; ++t)
          for (std::int64_t c = 0; c < C; ++c) {
            std::int16_t* row = raw + (t * C + c) * pair_positions;
            for (std::int64_t i = 0; i < count; ++i) row[i] = static_cast<std::int16_t>(value(t, c, i));
            std::fill(row + count, row + pair_positions, std::int16_t{0});
          }
      for (std::int64_t o = group * O; o < (group + 1) * O; ++o) {
        const auto& terms = candidates[static_cast<std::size_t>(o)];
        const auto to = [&](std::int64_t i) -> std::int64_t& { return excess[static_cast<std::size_t>(output[i] + o * P)]; };
        if (fits)
          for (std::size_t k = 0; k < terms.size(); k += terms_at_once) {
            std::int32_t sums[pair_positions] = {};
            pair_block(raw, terms.data() + k, std::min(terms_at_once, static_cast<std::int64_t>(terms.size() - k)), sums);
            for (std::int64_t i = 0; i < count; ++i) to(i) += sums[i];
          }
        else
          for (std::int64_t i = 0; i < count; ++i)
            for (const auto& c : terms) {
              const std::int64_t product = std::int64_t{value(c.first / C, c.first % C, i)} * c.w0 + std::int64_t{value(c.second / C, c.second % C, i)} * c.w1;
              to(i) += saturate(product, 16) - product;
            }
      }
    }
  return excess;
}

}  // namespace lastbit
