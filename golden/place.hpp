// place.hpp: what suites share: accumulators put into a layer, and elements or samples picked out of many.
#pragma once
#include "golden/generate.hpp"
#include "golden/solve.hpp"

namespace lastbit {

struct WantedSum {
  std::int64_t channel, acc;
};
/// Solves the samples of a layer for targets until it is full or none is left. `placed`: how many. A layer that only requantizes
/// takes them as its elements.
Layer place(const Workshop&, Layer, std::vector<WantedSum> targets, Random&, std::int64_t& placed);

/// The accumulators that a channel can reach over all inputs, clipped to +-2^40.
std::pair<std::int64_t, std::int64_t> reach_of(const Workshop&, const Layer&, std::int64_t channel);

/// Around every boundary of every channel that can be reached: on it, one below, one above; in an order that alternates over
/// codes, both signs among the first. `ties_only`: exact ones alone.
std::vector<WantedSum> around_boundaries(const Workshop&, const Layer&, const Staged&, bool ties_only, Random&, std::int64_t most_a_channel, double* nearest = nullptr);
/// The ends of the output's range: last not clamped and first clamped, one further, and far beyond.
std::vector<WantedSum> around_clamps(const Workshop&, const Layer&, const Staged&);

/// Layers that do not accumulate: many candidate samples with the outputs they have; those that `score` likes most (above 0)
/// are kept, best first, each output value as early as another. Elementwise layers are picked element by element.
struct PoolElement {
  double near;         // real value in stored units; NaN where there is none
  bool half;           // a tie
  bool at_end, clamped;
  double beyond;       // by how many LSB it lies outside the output's range; below 0: inside
  Events events;
};
Layer pick(const Workshop&, const CaseVariant&, std::int64_t samples, const std::function<double(const PoolElement&)>& score, Random&, std::int64_t& liked);

/// Whether each output element depends on the elements of the same index alone.
bool elementwise(const Layer&);
/// Extreme and middle codes in turn, for layers that are not solved.
void fill_corners(Layer&, Random&);

}  // namespace lastbit
