// pair_excess.cpp: see accumulate.hpp and pair_excess.hpp.
#include "lib/kernels/pair_excess.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <utility>

#include "lib/kernels/pair_block.hpp"
#include "lib/num/int.hpp"
#include "lib/tensor/scratch.hpp"

namespace lastbit {
namespace {

constexpr std::int64_t terms_at_once = 16384;  // each adds at most 255 * 255 * 2 - 32767 < 2^17

bool small(std::int64_t v) { return v >= -255 && v <= 255; }

/// What a channel of x may hold, padding included.
struct Reach {
  std::int64_t least = 0, most = 255;
};

/// Consecutive output positions of a block, at which a tap reads consecutive input positions of one image, or none of it (s < 0).
struct Run {
  std::int64_t from = 0, length = 0, n = 0, s = 0;
};

void magnitudes(const std::int8_t* w, std::int64_t n, std::uint8_t* to) {
  for (std::int64_t i = 0; i < n; ++i) to[i] = static_cast<std::uint8_t>(w[i] < 0 ? -w[i] : w[i]);
}
void magnitudes(const std::uint8_t* w, std::int64_t n, std::uint8_t* to) { std::copy_n(w, n, to); }

/// to[i] = a[i] + b[i] > limit; magnitudes are at most 128 (int8) or their sum saturates.
void mark_beyond(const std::uint8_t* a, const std::uint8_t* b, std::int64_t n, std::uint8_t limit, std::uint8_t* __restrict to) {
  for (std::int64_t i = 0; i < n; ++i) {
    const auto sum = static_cast<std::uint8_t>(a[i] + b[i]);
    to[i] = static_cast<std::uint8_t>(sum < a[i] || sum > limit);
  }
}

/// low[i], high[i] widened by v[i].
template <class T>
void widen(const T* v, std::int64_t n, T* __restrict low, T* __restrict high) {
  for (std::int64_t i = 0; i < n; ++i) low[i] = std::min(low[i], v[i]), high[i] = std::max(high[i], v[i]);
}

template <class T>
std::pair<T, T> least_and_most(const T* v, std::int64_t n) {
  T low = v[0], high = v[0];
  for (std::int64_t i = 0; i < n; ++i) low = std::min(low, v[i]), high = std::max(high, v[i]);
  return {low, high};
}

constexpr std::int64_t few_positions = 4;  // of all images: fewer than a block of them is worth
constexpr std::int64_t lanes_added = 4096; // each at most 2^17

/// What saturation adds to one sum: pair i is of x values a[i], b[i] and weights w[places[i]].
template <class W>
std::int64_t excess_of(const std::vector<std::int32_t>& a, const std::vector<std::int32_t>& b, const W* w, const std::vector<std::int32_t>& first, const std::vector<std::int32_t>& second, bool neighbours) {
  const auto beyond = [](std::int32_t p) { return std::min(std::max(p, -32768), 32767) - p; };
  const auto n = static_cast<std::int64_t>(a.size());
  std::int64_t excess = 0;
  for (std::int64_t from = 0; from < n; from += lanes_added) {
    const std::int64_t to = std::min(n, from + lanes_added);
    const std::int32_t *x = a.data(), *y = b.data();
    std::int32_t sum = 0;
    if (neighbours)
      for (std::int64_t i = from; i < to; ++i) sum += beyond(x[i] * w[2 * i] + y[i] * w[2 * i + 1]);
    else
      for (std::int64_t i = from; i < to; ++i) sum += beyond(x[i] * w[first[static_cast<std::size_t>(i)]] + y[i] * w[second[static_cast<std::size_t>(i)]]);
    excess += sum;
  }
  return excess;
}

/// x(n, channel, s, length, to): raw values of consecutive input positions. w(o, place): a weight of an output channel, place_of(c, t) its
/// place; row_of(o): a channel's weights as int8 or uint8, null where they are no bytes. reach: by input channel. borders: positions
/// without a tap outside are left out.
template <class X, class W, class Place, class Row>
void scan(const Geometry& g, X x, W w, Place place_of, Row row_of, const std::vector<Segment>& segments, std::int32_t outside, const std::vector<Reach>& reach, bool x_fits, bool borders, const std::function<bool(const PairExcess&)>& visit) {
  thread_local Scratch block;
  const std::int64_t P = g.positions(), T = g.taps(), C = g.in_channels, O = g.out_channels;
  struct Pair {
    std::int32_t first, second;
    std::int64_t first_place, second_place, first_channel, second_channel;
  };
  std::vector<Pair> pairs;
  for (const auto& s : segments)
    for (std::size_t i = 0; i + 1 < s.size(); i += 2) pairs.push_back({s[i], s[i + 1], place_of(s[i] % C, s[i] / C), place_of(s[i + 1] % C, s[i + 1] / C), s[i] % C, s[i + 1] % C});
  const auto source = sources(g);
  // Positions of all images are one sequence: the rows of a matrix product, too, fill whole blocks.
  std::vector<std::int64_t> sequence;
  if (borders)
    for (std::int64_t at = 0; at < g.batch * P; ++at)
      if (std::any_of(source.begin() + at % P * T, source.begin() + (at % P + 1) * T, [](std::int32_t s) { return s < 0; })) sequence.push_back(at);
  const std::int64_t visited = borders ? static_cast<std::int64_t>(sequence.size()) : g.batch * P;
  const auto place_at = [&](std::int64_t k) { return borders ? sequence[static_cast<std::size_t>(k)] : k; };
  if (!pairs.empty() && x_fits && small(outside) && g.groups * O > 0 && row_of(0) && !borders && g.batch * P <= few_positions) {  // a product with a vector
    std::vector<std::int32_t> first, second, a(pairs.size()), b(pairs.size());
    for (const Pair& p : pairs) first.push_back(static_cast<std::int32_t>(p.first_place)), second.push_back(static_cast<std::int32_t>(p.second_place));
    bool neighbours = true;
    for (std::size_t i = 0; i < pairs.size(); ++i) neighbours = neighbours && pairs[i].first_place == static_cast<std::int64_t>(2 * i) && pairs[i].second_place == pairs[i].first_place + 1;
    for (std::int64_t group = 0; group < g.groups; ++group)
      for (std::int64_t at = 0; at < g.batch * P; ++at) {
        const std::int64_t n = at / P, p = at % P;
        const auto value = [&](std::int32_t term) {
          const std::int64_t s = source[static_cast<std::size_t>(p * T + term / C)];
          std::int32_t v = outside;
          if (s >= 0) x(n, group * C + term % C, s, 1, &v);
          return v;
        };
        for (std::size_t i = 0; i < pairs.size(); ++i) a[i] = value(pairs[i].first), b[i] = value(pairs[i].second);
        for (std::int64_t o = group * O; o < (group + 1) * O; ++o)
          if (const std::int64_t excess = excess_of(a, b, row_of(o), first, second, neighbours); excess && !visit({n, o, p, excess})) return;
      }
    return;
  }
  std::int64_t largest = 1;
  for (const Reach& r : reach) largest = std::max({largest, std::abs(r.least), std::abs(r.most)});
  const std::int64_t harmless = 32767 / largest;  // |w0| + |w1| up to here never saturate
  using Byte = std::remove_cv_t<std::remove_pointer_t<decltype(row_of(0))>>;
  if (row_of(0) && harmless >= 2 * std::max<std::int64_t>(std::numeric_limits<Byte>::max(), -std::int64_t{std::numeric_limits<Byte>::min()})) return;
  // Pairs that can saturate at all, and whether their numbers fit the block's.
  std::vector<std::vector<PairTerm>> candidates(static_cast<std::size_t>(g.groups * O));
  bool fits = x_fits && small(outside), any = false, narrow = true;
  const auto look = [&](std::int64_t o, std::int64_t first_of_group, const Pair& pair) {
    const std::int64_t w0 = w(o, pair.first_place), w1 = w(o, pair.second_place);
    if (std::abs(w0) + std::abs(w1) <= harmless) return;
    const Reach &a = reach[static_cast<std::size_t>(first_of_group + pair.first_channel)], &b = reach[static_cast<std::size_t>(first_of_group + pair.second_channel)];
    const auto high = std::max(w0 * a.least, w0 * a.most) + std::max(w1 * b.least, w1 * b.most);
    const auto low = std::min(w0 * a.least, w0 * a.most) + std::min(w1 * b.least, w1 * b.most);
    if (high <= 32767 && low >= -32768) return;
    candidates[static_cast<std::size_t>(o)].push_back({pair.first, pair.second, static_cast<std::int32_t>(w0), static_cast<std::int32_t>(w1)});
    fits = fits && small(w0) && small(w1);
    narrow = narrow && std::max(std::abs(w0), std::abs(w1)) <= 128;
    any = true;
  };
  const std::int64_t K = T * C, apart = pairs.empty() ? 0 : pairs[0].second_place - pairs[0].first_place;
  if (apart > 0 && harmless < 256 && row_of(0) && std::all_of(pairs.begin(), pairs.end(), [&](const Pair& p) { return p.second_place - p.first_place == apart; })) {
    // Every pair's weights lie equally far apart: a row of sums of magnitudes, 8 looked at together.
    std::vector<std::int32_t> pair_at(static_cast<std::size_t>(K), -1);
    for (std::size_t i = 0; i < pairs.size(); ++i) pair_at[static_cast<std::size_t>(pairs[i].first_place)] = static_cast<std::int32_t>(i);
    std::vector<std::uint8_t> large(static_cast<std::size_t>(K) + 8), beyond(large.size());
    for (std::int64_t o = 0; o < g.groups * O; ++o) {
      candidates[static_cast<std::size_t>(o)].reserve(pairs.size() / 2);
      magnitudes(row_of(o), K, large.data());
      mark_beyond(large.data(), large.data() + apart, K - apart, static_cast<std::uint8_t>(harmless), beyond.data());
      for (std::int64_t i = 0; i + apart < K; i += 8) {
        std::uint64_t eight = 0;
        std::memcpy(&eight, &beyond[static_cast<std::size_t>(i)], 8);
        for (std::int64_t k = i; eight && k < std::min(i + 8, K - apart); ++k)
          if (const std::int32_t at = pair_at[static_cast<std::size_t>(k)]; beyond[static_cast<std::size_t>(k)] && at >= 0) look(o, o / O * C, pairs[static_cast<std::size_t>(at)]);
      }
    }
  } else {
    for (std::int64_t o = 0; o < g.groups * O; ++o)
      for (const auto& pair : pairs) look(o, o / O * C, pair);
  }
  if (!any) return;
  // Values of every term at a block of positions, term by term: [T * C][pair_positions].
  auto* raw = block.get<std::int16_t>(fits ? T * C * pair_positions : 0);
  std::vector<Run> runs;
  std::vector<std::uint8_t> read(static_cast<std::size_t>(T * C));
  for (std::int64_t group = 0; group < g.groups; ++group) {
    std::fill(read.begin(), read.end(), std::uint8_t{0});
    for (std::int64_t o = group * O; o < (group + 1) * O; ++o)
      for (const auto& term : candidates[static_cast<std::size_t>(o)]) read[static_cast<std::size_t>(term.first)] = read[static_cast<std::size_t>(term.second)] = 1;
    for (std::int64_t first = 0; first < visited; first += pair_positions) {
      const std::int64_t count = std::min(pair_positions, visited - first);
      if (fits)
        for (std::int64_t t = 0; t < T; ++t) {
          runs.clear();
          for (std::int64_t i = 0; i < count; ++i) {
            const std::int64_t at = place_at(first + i), n = at / P, s = source[static_cast<std::size_t>(at % P * T + t)];
            if (!runs.empty() && runs.back().n == n && (s < 0 ? runs.back().s < 0 : runs.back().s >= 0 && s == runs.back().s + runs.back().length)) ++runs.back().length;
            else runs.push_back({i, 1, n, s});
          }
          for (std::int64_t c = 0; c < C; ++c) {
            if (!read[static_cast<std::size_t>(t * C + c)]) continue;
            std::int16_t* row = raw + (t * C + c) * pair_positions;
            for (const Run& r : runs) {
              if (r.s < 0) std::fill_n(row + r.from, r.length, static_cast<std::int16_t>(outside));
              else x(r.n, group * C + c, r.s, r.length, row + r.from);
            }
            std::fill(row + count, row + pair_positions, std::int16_t{0});
          }
        }
      for (std::int64_t o = group * O; o < (group + 1) * O; ++o) {
        const auto& terms = candidates[static_cast<std::size_t>(o)];
        if (terms.empty()) continue;
        std::int64_t excess[pair_positions] = {};
        if (fits)
          for (std::size_t k = 0; k < terms.size(); k += terms_at_once) {
            std::int32_t sums[pair_positions] = {};
            pair_block(raw, terms.data() + k, std::min(terms_at_once, static_cast<std::int64_t>(terms.size() - k)), narrow, sums);
            for (std::int64_t i = 0; i < count; ++i) excess[i] += sums[i];
          }
        else
          for (std::int64_t i = 0; i < count; ++i)
            for (const auto& term : terms) {
              const std::int64_t n = place_at(first + i) / P, p = place_at(first + i) % P;
              const auto value = [&](std::int32_t at) -> std::int64_t {
                const std::int64_t s = source[static_cast<std::size_t>(p * T + at / C)];
                std::int32_t v = outside;
                if (s >= 0) x(n, group * C + at % C, s, 1, &v);
                return v;
              };
              const std::int64_t product = value(term.first) * term.w0 + value(term.second) * term.w1;
              excess[i] += saturate(product, 16) - product;
            }
        for (std::int64_t i = 0; i < count; ++i)
          if (excess[i] && !visit({place_at(first + i) / P, o, place_at(first + i) % P, excess[i]})) return;
      }
    }
  }
}

}  // namespace

std::vector<std::int64_t> pair_excess(const Geometry& g, const Operands& in, const std::vector<Segment>& segments, std::int32_t outside,
                                      std::int32_t x_min, std::int32_t x_max) {
  const std::int64_t P = g.positions(), T = g.taps(), I = g.in_positions(), C = g.in_channels, channels = g.groups * g.out_channels, all = g.groups * C;
  std::vector<std::int64_t> excess(static_cast<std::size_t>(g.batch * channels * P));
  // Of any width: a rival may be tried on operands of 32 bits.
  const bool fits = small(x_min) && small(x_max) && std::all_of(in.x.begin(), in.x.end(), small);
  const std::vector<Reach> reach(static_cast<std::size_t>(all), {x_min, x_max});
  const auto x = [&](std::int64_t n, std::int64_t channel, std::int64_t s, std::int64_t length, auto* to) {
    const std::int32_t* from = &in.x[static_cast<std::size_t>((n * all + channel) * I + s)];
    for (std::int64_t i = 0; i < length; ++i) to[i] = static_cast<std::remove_reference_t<decltype(*to)>>(from[i]);
  };
  const auto w = [&](std::int64_t o, std::int64_t place) -> std::int64_t { return in.w[static_cast<std::size_t>(o * C * T + place)]; };
  scan(g, x, w, [&](std::int64_t c, std::int64_t t) { return c * T + t; }, [](std::int64_t) -> const std::int8_t* { return nullptr; }, segments, outside, reach, fits, false, [&](const PairExcess& e) {
    excess[static_cast<std::size_t>((e.n * channels + e.channel) * P + e.position)] = e.excess;
    return true;
  });
  return excess;
}

void visit_pair_excess(const StreamRequest& request, const std::vector<Segment>& segments, std::int32_t outside, std::int32_t offset, const std::function<bool(const PairExcess&)>& visit, bool borders) {
  const Geometry& g = request.geometry;
  const StoredOperands& in = request.operands;
  const std::int64_t T = g.taps(), I = g.in_positions(), C = g.in_channels, all = g.groups * C;
  const bool x_negative = info(in.x_dtype).min < 0, w_negative = info(in.w_dtype).min < 0;
  const auto at = [&](std::int64_t n, std::int64_t channel, std::int64_t s) { return in.channels_last ? (n * I + s) * all + channel : (n * all + channel) * I + s; };
  const std::int64_t step = in.channels_last ? all : 1;
  const auto x = [&](std::int64_t n, std::int64_t channel, std::int64_t s, std::int64_t length, auto* to) {
    using To = std::remove_reference_t<decltype(*to)>;
    const std::byte* from = in.x + at(n, channel, s);
    const auto copy = [&](auto stored) {
      using From = decltype(stored);
      const auto* bytes = reinterpret_cast<const From*>(from);
      if (step == 1)
        for (std::int64_t i = 0; i < length; ++i) to[i] = static_cast<To>(bytes[i] + offset);
      else
        for (std::int64_t i = 0; i < length; ++i) to[i] = static_cast<To>(bytes[i * step] + offset);
    };
    x_negative ? copy(std::int8_t{}) : copy(std::uint8_t{});
  };
  std::vector<Reach> reach(static_cast<std::size_t>(all), {outside, outside});
  const auto reached = [&](auto stored) {
    using From = decltype(stored);
    const auto* bytes = reinterpret_cast<const From*>(in.x);
    if (I == 0 || g.batch == 0) return;
    std::vector<From> low(static_cast<std::size_t>(all), std::numeric_limits<From>::max()), high(low.size(), std::numeric_limits<From>::min());
    for (std::int64_t n = 0; n < g.batch; ++n)
      for (std::int64_t outer = 0; outer < (in.channels_last ? I : all); ++outer) {
        if (in.channels_last) {
          widen(bytes + (n * I + outer) * all, all, low.data(), high.data());
          continue;
        }
        const auto [least, most] = least_and_most(bytes + (n * all + outer) * I, I);
        widen(&least, 1, &low[static_cast<std::size_t>(outer)], &high[static_cast<std::size_t>(outer)]);
        widen(&most, 1, &low[static_cast<std::size_t>(outer)], &high[static_cast<std::size_t>(outer)]);
      }
    for (std::size_t c = 0; c < reach.size(); ++c) reach[c] = {std::min<std::int64_t>(reach[c].least, low[c] + offset), std::max<std::int64_t>(reach[c].most, high[c] + offset)};
  };
  x_negative ? reached(std::int8_t{}) : reached(std::uint8_t{});
  const auto by = [&](auto stored) {
    const auto* weights = reinterpret_cast<const decltype(stored)*>(in.w);
    scan(g, x, [&](std::int64_t o, std::int64_t place) -> std::int64_t { return weights[o * C * T + place]; },
         [&](std::int64_t c, std::int64_t t) { return in.w_channels_last ? t * C + c : c * T + t; }, [&](std::int64_t o) { return weights + o * C * T; }, segments, outside, reach, true, borders, visit);
  };
  w_negative ? by(std::int8_t{}) : by(std::uint8_t{});
}

}  // namespace lastbit
