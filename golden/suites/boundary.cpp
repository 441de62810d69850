// boundary: the steps of the output: accumulators on both sides of rounding boundaries over the whole range (scales as they are in
// trained networks, so that nothing is exact), the ends of the range, an accumulator of 0, inputs at the ends of theirs.
#include <cmath>

#include "golden/place.hpp"

namespace lastbit::suites {
namespace {

Draft make(const Workshop& w) {
  Draft d;
  Random random = w.random("boundary");
  const CaseVariant variant{.name = w.op->name, .dyadic = false};
  Layer layer = blank_layer(w, variant, w.samples(32), random);
  if (const auto staged = Staged::of(w, layer)) {
    std::vector<WantedSum> targets;
    const auto clamps = around_clamps(w, layer, *staged);
    const auto steps = around_boundaries(w, layer, *staged, false, random, 4096);
    for (std::int64_t c = 0; c < staged->channels(); ++c) targets.push_back({c, 0}), targets.push_back({c, -1});
    for (std::size_t i = 0; i < std::max(steps.size(), clamps.size()); ++i) {
      if (i < steps.size()) targets.push_back(steps[i]);
      if (i < clamps.size() && i % 3 == 0) targets.push_back(clamps[i]);
    }
    std::int64_t placed = 0;
    d.cases.push_back(place(w, std::move(layer), targets, random, placed));
    return d;
  }
  std::int64_t liked = 0;
  d.cases.push_back(pick(w, variant, w.samples(32), [](const PoolElement& c) {
    if (c.near != c.near) return 0.0;
    const double off = std::abs(c.near - std::floor(c.near) - 0.5);
    return off < 0.02 ? 1.0 : c.at_end && !c.clamped ? 0.5 : 0.0;
  }, random, liked));
  d.cases.back().name = w.like ? w.op->name : "steps";
  Random more = w.random("corners");
  Layer corners = blank_layer(w, variant, w.samples(32), more);
  corners.name = "corners";
  fill_corners(corners, more);
  d.cases.push_back(std::move(corners));
  return d;
}

}  // namespace

Suite boundary() { return {"boundary", "both sides of rounding boundaries, ends of the range, extreme inputs", make}; }

}  // namespace lastbit::suites
