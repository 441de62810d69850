// pairs: neighbouring products that saturate a 16-bit register (vpmaddubsw) and sums that would not clamp without it, so that the
// saturation shows. The other inputs are solved to bring the true sum back into the output's range.
#include "golden/place.hpp"
#include "lib/error.hpp"
#include "lib/rules/pairs.hpp"
#include "verifier/evaluate.hpp"

namespace lastbit::suites {
namespace {

Draft make(const Workshop& w) {
  Draft d;
  Random random = w.random("pairs");
  Layer layer = blank_layer(w, {.name = w.op->name, .dyadic = true, .extreme = true}, w.samples(24), random);
  const auto staged = Staged::of(w, layer);
  if (!staged || layer.op == "requantize") throw Error("--suite pairs", "found " + w.op->name + ", which sums no products of 8 bits into an integer output here, expected a linear layer or a convolution");
  const Cell& cell = cell_of(w, layer);
  Solver solver(w, layer);
  const std::int64_t positions = solver.geometry().positions(), of_sample = solver.elements_of_sample(), channels = of_sample / positions;
  std::int64_t solved = 0;
  for (std::int64_t n = 0; n < solver.geometry().batch; ++n)
    for (std::int64_t k = 0; k < channels; ++k) {
      const std::int64_t channel = (n + k) % channels, element = n * of_sample + channel * positions + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(positions)));
      if (solver.taken(element)) continue;
      const auto [lo, hi] = solver.reach(element);
      const std::int64_t from = std::clamp(staged->first_above(staged->min(), channel, lo, hi), lo, hi), to = std::clamp(staged->first_above(staged->max() - 1, channel, lo, hi), from, hi);
      solved += solver.saturate_pairs(element, random.between(from, to), pair_offset(cell), cell.get("pair_order", "flat") != "onednn", random);
    }
  if (solved == 0) throw Error("--suite pairs", "found no pair of products beyond int16 in this layer (inputs " + std::string(name(layer.in("x").dtype)) + ", weights " + std::string(name(layer.in("weight").dtype)) + "), expected uint8 inputs, or int8 ones that the runtime makes unsigned, with large 8-bit weights");
  d.cases.push_back(solver.layer());
  if (cell.get("pairs", "none") == "int16") d.promises = {"pair saturated"};
  else d.notes.push_back(w.request.profile + " sums products exactly here: the outputs are those without saturation, and a device that saturates pairs fails");
  return d;
}

}  // namespace

Suite pairs() { return {"pairs", "neighbouring products beyond int16, the sum brought back into range", make}; }

}  // namespace lastbit::suites
