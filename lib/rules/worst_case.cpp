// worst_case.cpp: see worst_case.hpp.
#include "lib/rules/worst_case.hpp"

#include <algorithm>
#include <map>

#include "lib/profile/requantize_steps.hpp"

namespace lastbit {
std::vector<std::int64_t> kinds_of_positions(const Geometry& g, const std::vector<std::int32_t>& source) {
  std::map<std::vector<bool>, std::int64_t> first;
  const std::int64_t T = g.taps();
  std::vector<bool> inside(static_cast<std::size_t>(T));
  for (std::int64_t p = 0; p < g.positions(); ++p) {
    for (std::int64_t t = 0; t < T; ++t) inside[static_cast<std::size_t>(t)] = source[static_cast<std::size_t>(p * T + t)] >= 0;
    first.emplace(inside, p);
  }
  std::vector<std::int64_t> positions;
  for (const auto& [pattern, p] : first) positions.push_back(p);
  std::sort(positions.begin(), positions.end());
  return positions;
}

std::vector<ChannelBounds> worst_case(const Geometry& g, const AccumulationInput& in, std::int64_t x_min, std::int64_t x_max, const std::vector<std::int64_t>& bias) {
  const auto source = sources(g);
  const auto positions = kinds_of_positions(g, source);
  const std::int64_t T = g.taps(), C = g.in_channels, low = x_min - in.x_zero_point, high = x_max - in.x_zero_point;
  const Operands operands{in.x, in.w, in.x_zero_point, in.w_zero_point};
  std::vector<ChannelBounds> all(static_cast<std::size_t>(g.groups * g.out_channels));
  for (std::size_t o = 0; o < all.size(); ++o) {
    const auto channel = static_cast<std::int64_t>(o);
    const std::int64_t wz = operands.wz(channel);
    std::vector<std::int64_t> tap_min(static_cast<std::size_t>(T)), tap_max(static_cast<std::size_t>(T));
    for (std::int64_t c = 0; c < C; ++c)
      for (std::int64_t t = 0; t < T; ++t) {
        const std::int64_t w = in.w[static_cast<std::size_t>((channel * C + c) * T + t)] - wz;
        tap_min[static_cast<std::size_t>(t)] += std::min(low * w, high * w);
        tap_max[static_cast<std::size_t>(t)] += std::max(low * w, high * w);
      }
    const std::int64_t b = bias.empty() ? 0 : bias.size() == 1 ? bias[0] : bias[o];
    ChannelBounds& r = all[o];
    for (std::size_t k = 0; k < positions.size(); ++k) {
      std::int64_t lo = b, hi = b;
      for (std::int64_t t = 0; t < T; ++t)
        if (source[static_cast<std::size_t>(positions[k] * T + t)] >= 0) lo += tap_min[static_cast<std::size_t>(t)], hi += tap_max[static_cast<std::size_t>(t)];
      if (k == 0 || lo < r.min) r.min = lo, r.min_position = positions[k];
      if (k == 0 || hi > r.max) r.max = hi, r.max_position = positions[k];
    }
  }
  return all;
}

std::vector<std::int32_t> witness(const Geometry& g, const AccumulationInput& in, std::int64_t x_min, std::int64_t x_max, std::int64_t channel, std::int64_t position, bool maximum) {
  const auto source = sources(g);
  const std::int64_t T = g.taps(), C = g.in_channels, I = g.in_positions(), group = channel / g.out_channels;
  const Operands operands{in.x, in.w, in.x_zero_point, in.w_zero_point};
  std::vector<std::int32_t> x(static_cast<std::size_t>(g.groups * C * I), static_cast<std::int32_t>(std::clamp(in.x_zero_point, x_min, x_max)));
  for (std::int64_t t = 0; t < T; ++t) {
    const std::int64_t s = source[static_cast<std::size_t>(position * T + t)];
    if (s < 0) continue;
    for (std::int64_t c = 0; c < C; ++c) {
      const std::int64_t w = in.w[static_cast<std::size_t>((channel * C + c) * T + t)] - operands.wz(channel);
      const bool high = maximum ? (x_max - in.x_zero_point) * w >= (x_min - in.x_zero_point) * w : (x_max - in.x_zero_point) * w <= (x_min - in.x_zero_point) * w;
      x[static_cast<std::size_t>((group * C + c) * I + s)] = static_cast<std::int32_t>(high ? x_max : x_min);
    }
  }
  return x;
}

namespace {

/// What a stage `bias` adds, channel by channel.
std::vector<std::int64_t> integers_of(const requantizing::Step& bias, std::int64_t channels) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(channels));
  for (std::int64_t o = 0; auto& b : all) b = requantizing::integer_bias(requantizing::of(bias.a, o++));
  return all;
}

}  // namespace

std::vector<std::int64_t> integer_biases(const std::vector<std::string>& stages, const RequantizeContext& context, std::int64_t channels, const std::string& place) {
  if (!context.has_bias || stages.empty() || stages[0].rfind("bias", 0) != 0) return {};
  if (const auto first = requantizing::compile(stages[0], context, place); first.verb == requantizing::Verb::bias) return integers_of(first, channels);
  return integer_biases(Requantizer({stages[0]}, context, place), stages, channels);
}

std::vector<std::int64_t> integer_biases(const Requantizer& requantize, const std::vector<std::string>& stages, std::int64_t channels) {
  if (!requantize.context().has_bias || stages.empty() || stages[0].rfind("bias", 0) != 0) return {};
  const auto& steps = requantize.state().steps;
  const auto adds = [&](std::size_t i, requantizing::Verb verb) { return i < steps.size() && steps[i]->verb == verb; };
  if (adds(0, requantizing::Verb::bias) && !adds(1, requantizing::Verb::bias) && !adds(1, requantizing::Verb::bias64)) {
    if (const auto* path = requantize.float32_path(); path && static_cast<std::int64_t>(path->bias.size()) == channels) return path->bias;
    return integers_of(*steps[0], channels);
  }
  std::vector<std::int64_t> all(static_cast<std::size_t>(channels));
  for (std::int64_t o = 0; o < channels; ++o) all[static_cast<std::size_t>(o)] = requantize.with_bias(0, o);
  return all;
}

}  // namespace lastbit
