// discriminate: the smallest set found that separates every pair of rules that candidates separate. Candidates are built where
// rules part: on and beside the rounding boundaries of layers with exact scales and with scales of full mantissas, per tensor and
// per channel, at the clamps, with saturating pairs and extreme sums. A greedy cover picks samples; those that later ones make
// superfluous are taken out again.
#include <cmath>

#include "golden/matrix.hpp"
#include "golden/place.hpp"
#include "golden/proof.hpp"
#include "lib/error.hpp"
#include "lib/rules/pairs.hpp"

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
        extra.saturate_pairs(element, random.between(lo / 4, hi / 4), pair_offset(cell), n % 2 == 0, random);
      }
    }
  return extra.layer();
}

/// The same layer with samples of another after its own; weights and scales are alike.
Layer joined(const Layer& first, const Layer& second) {
  std::vector<std::int64_t> twice;
  const std::int64_t n = first.out("y").dim(0), m = second.out("y").dim(0);
  for (std::int64_t i = 0; i < n + m; ++i) twice.push_back(i % n);
  Layer all = with_samples(first, twice);
  for (auto& [port, t] : all.inputs) {
    const Tensor &a = first.in(port), &b = second.in(port);
    if (t.shape == a.shape || is_float(t.dtype)) continue;  // weights
    auto q = a.i32();
    const auto more = b.i32();
    q.insert(q.end(), more.begin(), more.end());
    set_integers(t, q);
  }
  return all;
}

/// Samples of one case under which rules part that no candidate told apart; none where they could not be made.
std::optional<Layer> parting_samples(const Workshop& w, const Layer& pool, std::size_t k, const std::vector<Parting>& partings) {
  std::vector<WantedSum> targets;
  std::vector<std::map<std::string, std::int64_t>> codes;
  for (const auto& p : partings) {
    if (p.of_case != k) continue;
    if (!p.codes.empty()) codes.push_back(p.codes);
    else targets.push_back({p.channel, p.acc});
  }
  if ((targets.empty() && codes.empty()) || !has_samples(pool)) return {};
  const std::int64_t row = pool.out("y").size() / pool.out("y").dim(0), samples = codes.empty() ? static_cast<std::int64_t>(targets.size()) : (static_cast<std::int64_t>(codes.size()) + row - 1) / row;
  std::vector<std::int64_t> some;
  for (std::int64_t i = 0; i < samples; ++i) some.push_back(i % pool.out("y").dim(0));
  Layer more = with_samples(pool, some);
  if (codes.empty()) {
    if (more.op == "matmul" || !Staged::of(w, more)) return {};
    Random random = w.random(pool.name + "/partings");
    std::int64_t placed = 0;
    more = place(w, std::move(more), targets, random, placed);
    if (placed == 0) return {};
  } else {
    for (auto& [port, t] : more.inputs) {
      auto q = t.i32();
      for (std::size_t i = 0; i < codes.size(); ++i) q[i] = static_cast<std::int32_t>(codes[i].at(port));
      set_integers(t, q);
    }
  }
  compute(w, more);
  return more;
}

/// The rules of more cases, after those of the first.
void append(AllRules& all, const AllRules& more) {
  const std::size_t before = all.expected.size(), n = before + more.expected.size();
  all.expected.insert(all.expected.end(), more.expected.begin(), more.expected.end());
  for (const auto& r : more.rules) {
    auto it = std::find_if(all.rules.begin(), all.rules.end(), [&](const RuleValues& known) { return known.key == r.key; });
    if (it == all.rules.end()) {
      all.rules.push_back(r);
      it = all.rules.end() - 1;
      it->cases.assign(before, {});
    }
    it->cases.resize(before);
    it->cases.insert(it->cases.end(), r.cases.begin(), r.cases.end());
  }
  for (auto& r : all.rules) r.cases.resize(n);
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
  AllRules rules = all_rules(w, pools);
  // What no candidate separates, and yet parts somewhere: inputs made for it.
  Discrimination kinds = discriminate(rules, false);
  const auto partings = prove(w, rules, pools, 0, kinds);
  std::vector<Layer> candidates = pools, extras;
  std::vector<std::size_t> extra_of(pools.size(), 0);
  for (std::size_t k = 0; k < pools.size(); ++k)
    if (auto more = parting_samples(w, pools[k], k, partings)) extra_of[k] = pools.size() + extras.size(), extras.push_back(std::move(*more));
  if (!extras.empty()) append(rules, all_rules(w, extras));
  candidates.insert(candidates.end(), extras.begin(), extras.end());
  const auto chosen = deciding_samples(rules, candidates);
  Draft d;
  d.notes = std::move(notes);
  for (const auto& values : rules.expected) d.candidates += static_cast<std::int64_t>(values.size());
  std::int64_t tried = 0, kept = 0;
  for (std::size_t k = 0; k < candidates.size(); ++k) {
    tried += has_samples(candidates[k]) ? candidates[k].out("y").dim(0) : 1;
    kept += static_cast<std::int64_t>(chosen[k].size());
  }
  for (std::size_t k = 0; k < pools.size(); ++k) {
    const std::vector<std::int64_t> more = extra_of[k] ? chosen[extra_of[k]] : std::vector<std::int64_t>{};
    if (chosen[k].empty() && more.empty()) continue;
    Layer layer = !has_samples(pools[k]) ? pools[k] : chosen[k].empty() ? with_samples(candidates[extra_of[k]], more) : with_samples(pools[k], chosen[k]);
    if (!chosen[k].empty() && !more.empty()) layer = joined(layer, with_samples(candidates[extra_of[k]], more));
    // One sample alone may be another kernel's (a matrix of one column): what was seen among many would not hold.
    if (has_samples(layer) && layer.out("y").dim(0) == 1 && pools[k].out("y").dim(0) > 1) layer = joined(layer, with_samples(pools[k], {chosen[k].empty() || chosen[k][0] != 0 ? 0 : 1}));
    refresh(w, layer);
    d.cases.push_back(std::move(layer));
  }
  if (d.cases.empty()) {
    d.cases.push_back(has_samples(pools[0]) ? with_samples(pools[0], {0, 1}) : pools[0]);
    d.notes.push_back("no candidate tells any rule from the profile");
  }
  d.notes.push_back(std::to_string(kept) + " of " + std::to_string(tried) + " candidate samples kept");
  return d;
}

}  // namespace

Suite discriminate() { return {"discriminate", "the smallest set found that tells apart all rules that can be told apart", make}; }

}  // namespace lastbit::suites
