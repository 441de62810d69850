// worst_case.hpp: what an accumulator could reach over all inputs, proved from weights, zero points and bias.
#pragma once
#include "lib/rules/accumulation.hpp"

namespace lastbit {

/// Output positions of every kind: those with the same taps inside the input behave alike. `source` is sources(g).
std::vector<std::int64_t> kinds_of_positions(const Geometry& g, const std::vector<std::int32_t>& source);

/// One output channel: exact minimum and maximum of sum (x - zx)(w - zw) + integer bias over every input in [x_min, x_max] and
/// every output position, and the position (of the output) that reaches each.
struct ChannelBounds {
  std::int64_t min = 0, max = 0;
  std::int64_t min_position = 0, max_position = 0;
};

/// A term is extreme at an end of the input's range, so each bound is a sum of extremes over the taps inside the input; only
/// positions at the border have fewer taps, and those are tried too. `bias`: integer biases per channel, or empty.
std::vector<ChannelBounds> worst_case(const Geometry&, const AccumulationInput&, std::int64_t x_min, std::int64_t x_max, const std::vector<std::int64_t>& bias);

/// An input [N = 1, C, spatial...] under which output `channel` at `position` reaches its bound: the extremes under its window,
/// the zero point elsewhere.
std::vector<std::int32_t> witness(const Geometry&, const AccumulationInput&, std::int64_t x_min, std::int64_t x_max, std::int64_t channel, std::int64_t position, bool maximum);

/// Integer biases that the profile's stages add to the accumulator before anything else; empty when none.
std::vector<std::int64_t> integer_biases(const std::vector<std::string>& stages, const RequantizeContext&, std::int64_t channels, const std::string& place);
/// The same of stages that are bound already.
std::vector<std::int64_t> integer_biases(const Requantizer&, const std::vector<std::string>& stages, std::int64_t channels);

}  // namespace lastbit
