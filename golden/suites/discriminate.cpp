// discriminate: the smallest set found that separates every pair of rules that candidates separate. Candidates are built where
// rules part: on and beside the rounding boundaries of layers with exact scales and with scales of full mantissas, per tensor and
// per channel, at the clamps, with saturating pairs and extreme sums. A greedy cover picks samples; those that later ones make
// superfluous are taken out again.
#include <cmath>

#include "golden/matrix.hpp"
#include "golden/place.hpp"
#include "lib/error.hpp"

namespace lastbit::suites {
namespace {

/// Candidates of one variant.
Layer pool_of(const Workshop& w, const CaseVariant& variant, std::int64_t samples) {
  Random random = w.random(variant.name);
  Layer layer = blank_layer(w, variant, samples, random);
  const auto staged = Staged::of(w, layer);
  if (!staged) {
    std::int64_t liked = 0;
    return pick(w, variant, samples, [](const PoolElement& c) {
      const double off = c.near == c.near ? std::abs(c.near - std::floor(c.near) - 0.5) : 1;
      return c.half ? 3.0 : off < 0.05 ? 1.0 : c.clamped || c.at_end ? 0.25 : 0.0;
    }, random, liked);
  }
  std::vector<WantedSum> targets = around_clamps(w, layer, *staged);
  const auto steps = around_boundaries(w, layer, *staged, false, random, 256);
  targets.insert(targets.end(), steps.begin(), steps.end());
  std::int64_t placed = 0;
  if (layer.op == "requantize") return place(w, std::move(layer), targets, random, placed);
  // The last eighth: saturating pairs and extremes.
  Layer solved = place(w, layer, targets, random, placed);
  Solver extra(w, solved);
  const Cell& cell = cell_of(w, layer);
  const std::int64_t positions = extra.geometry().positions(), of_sample = extra.elements_of_sample(), channels = of_sample / positions;
  for (std::int64_t n = samples - samples / 8; n < samples; ++n)
    for (std::int64_t k = 0; k < channels; ++k) {
      const std::int64_t channel = (n + k) % channels, element = n * of_sample + channel * positions + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(positions)));
      if (extra.taken(element)) continue;
      if (n % 4 == 0) extra.extreme(element, n % 8 == 0);
      else {
        const auto [lo, hi] = extra.reach(element);
        extra.saturate_pairs(element, random.between(lo / 4, hi / 4), cell.get("pair_offset") == "128" ? 128 : 0, n % 2 == 0, random);
      }
    }
  return extra.layer();
}

Draft make(const Workshop& w) {
  const std::int64_t samples = w.request.count.value_or(400);
  std::vector<CaseVariant> variants{{.name = "exact", .dyadic = true}, {.name = "scales", .dyadic = false}};
  const bool weights = std::any_of(w.op->inputs.begin(), w.op->inputs.end(), [](const Port& p) { return p.name == "weight"; });
  const bool fused = !w.attributes.count("activation") && std::any_of(w.op->attributes.begin(), w.op->attributes.end(), [](const AttributeSpec& a) { return a.name == "activation"; });
  if (weights) variants.push_back({.name = "channels", .dyadic = false, .odd = false, .per_channel = true}), variants.push_back({.name = "extremes", .dyadic = true, .extreme = true});
  if (fused) variants.push_back({.name = "activation", .dyadic = true, .activation = "relu", .narrower = 1});
  if (w.like) variants = {{.name = w.op->name}};
  std::vector<Layer> pools;
  std::vector<std::string> notes;
  for (const auto& v : variants) {
    try {
      Layer layer = pool_of(w, v, samples);
      layer.name = v.name;
      compute(w, layer);
      pools.push_back(std::move(layer));
    } catch (const Error& e) {
      if (&v == &variants.front()) throw;
      notes.push_back("the case \"" + v.name + "\" is left out: " + e.what());
    }
  }
  const AllRules rules = all_rules(w, pools);
  const auto chosen = deciding_samples(rules, pools);
  Draft d;
  d.notes = std::move(notes);
  std::int64_t candidates = 0, kept = 0;
  for (std::size_t k = 0; k < pools.size(); ++k) {
    const std::int64_t n = has_samples(pools[k]) ? pools[k].out("y").dim(0) : 1;
    candidates += n, kept += static_cast<std::int64_t>(chosen[k].size());
    if (chosen[k].empty()) continue;
    Layer layer = has_samples(pools[k]) ? with_samples(pools[k], chosen[k]) : pools[k];
    refresh(w, layer);
    d.cases.push_back(std::move(layer));
  }
  if (d.cases.empty()) {
    d.cases.push_back(has_samples(pools[0]) ? with_samples(pools[0], {0, 1}) : pools[0]);
    d.notes.push_back("no candidate tells any rule from the profile");
  }
  d.notes.push_back(std::to_string(kept) + " of " + std::to_string(candidates) + " candidate samples kept");
  return d;
}

}  // namespace

Suite discriminate() { return {"discriminate", "the smallest set found that tells apart all rules that can be told apart", make}; }

}  // namespace lastbit::suites
