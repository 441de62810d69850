// two_causes.cpp: see two_causes.hpp.
#include "verifier/two_causes.hpp"

#include <algorithm>
#include <exception>
#include <map>
#include <unordered_map>

#include "lib/num/int.hpp"

namespace lastbit {
namespace {

constexpr std::size_t fewest = 6;        // differing elements: fewer would fit some pair by chance
constexpr std::size_t asked_first = 3, channels_tried = 4, differing_tried = 14, agreeing_tried = 6, alternatives_kept = 32;

/// Elements of at most a few channels.
std::vector<std::int64_t> of_few_channels(const Case& c, const std::vector<std::int64_t>& from, std::size_t n, std::vector<std::int64_t>& channels) {
  std::vector<std::int64_t> some;
  const std::size_t step = from.size() % 7919 == 0 ? 7907 : 7919;  // primes: spread, each element once
  for (std::size_t k = 0; k < from.size() && some.size() < n; ++k) {
    const std::int64_t i = from[k * step % from.size()], channel = c.channel_of(i);
    if (std::find(channels.begin(), channels.end(), channel) == channels.end()) {
      if (channels.size() >= channels_tried) continue;
      channels.push_back(channel);
    }
    some.push_back(i);
  }
  return some;
}

bool changes_sums(const Change& c) { return static_cast<bool>(c.input) || c.sum || c.cell; }

class PairTrial {
 public:
  explicit PairTrial(const Case& c) : case_(c) {
    std::vector<std::int64_t> agreeing;
    for (std::int64_t i = 0; i < c.size() && agreeing.size() < 4096; ++i)
      if (!std::binary_search(c.differing.begin(), c.differing.end(), i) && !c.is_open(i)) agreeing.push_back(i);
    elements_ = of_few_channels(c, c.differing, differing_tried, channels_);
    const auto others = of_few_channels(c, agreeing, agreeing_tried, channels_);
    elements_.insert(elements_.end(), others.begin(), others.end());
    for (const auto i : elements_) few_.push_back(c.channel_of(i));
    kept_ = c.kept_of(few_);
  }

  using Key = std::shared_ptr<const Change>;
  /// What a change touches beside the sums.
  struct Touched {
    bool stages, constants;
  };
  /// A change with what is asked of it in every pair.
  struct Prepared {
    Key change;
    Touched touched;
    std::vector<std::int64_t>* sums;  // as it changes them; null where it does not
    std::uint64_t number;
  };
  Prepared prepared(const Key& change) { return {change, touched(change), changes_sums(*change) ? &sums_[change] : nullptr, ++numbers_}; }

  /// Whether the two changes together give the observed value of every element tried. They go together: combine().
  bool fits(const Prepared& first, const Prepared& second) {
    const Key &a = first.change, &b = second.change;
    const Key& key = first.sums ? a : second.sums ? b : none_;
    auto& sums = first.sums ? *first.sums : second.sums ? *second.sums : sums_[none_];
    std::optional<Bound> anew;
    const Bound& bound = is_known(first, second) ? known(first, second) : anew.emplace(bound_to(a, b));
    const auto& moved = a->accumulator ? a->accumulator : b->accumulator;
    for (std::size_t k = 0; k < elements_.size(); ++k) {
      if (k >= sums.size() && !add_sums(key, sums)) return false;
      std::int64_t acc = moved ? moved(sums[k], elements_[k]) : sums[k];
      if (!a->held.empty() || !b->held.empty()) acc = held(acc, *a, *b, bound.finisher.stages, bound.places[k]);
      if (!same_value(case_.finished(bound.finisher, acc, bound.places[k], elements_[k]), case_.observed_value(elements_[k]))) return false;
    }
    return true;
  }

 private:
  /// Stages bound to constants, and each element's place among the channels that these are of.
  struct Bound {
    Finisher finisher;
    std::vector<std::int64_t> places;
  };
  /// A sum as the registers of both hold it, first those under the sum, the last put in before the others; then those under the biased sum,
  /// from which the bias is taken off again: the stages add it, to what they held before.
  static std::int64_t held(std::int64_t acc, const Change& a, const Change& b, const Requantizer& stages, std::int64_t place) {
    const auto each = [&](bool after_bias) {
      for (const auto* change : {&b, &a})
        for (auto h = change->held.rbegin(); h != change->held.rend(); ++h)
          if (h->after_bias == after_bias) acc = h->saturates ? saturate(acc, h->bits) : wrap(acc, h->bits);
    };
    const auto after_bias = [](const Change& c) { return std::any_of(c.held.begin(), c.held.end(), [](const Held& h) { return h.after_bias; }); };
    each(false);
    if (!after_bias(a) && !after_bias(b)) return acc;
    acc = stages.with_bias(acc, place);
    each(true);
    return acc - stages.with_bias(0, place);
  }

  const Touched& touched(const std::shared_ptr<const Change>& c) {
    const auto at = touched_.find(c);
    if (at != touched_.end()) return at->second;
    return touched_.emplace(c, Touched{c->stages || c->edit || (c->cell && c->cell->stages != case_.cell.stages), case_.changes_constants(*c)}).first->second;
  }
  /// Most pairs have one change that leaves the stages as they are, and one that leaves the constants: they share what is bound.
  static bool is_known(const Prepared& a, const Prepared& b) { return !(a.touched.stages && b.touched.stages) && !(a.touched.constants && b.touched.constants); }
  const Bound& known(const Prepared& a, const Prepared& b) {
    const std::uint64_t stages = a.touched.stages ? a.number : b.touched.stages ? b.number : 0, constants = a.touched.constants ? a.number : b.touched.constants ? b.number : 0, both = stages << 32 | constants;
    const auto at = known_.find(both);
    return at != known_.end() ? at->second : known_.emplace(both, bound_to(a.change, b.change)).first->second;
  }

  Bound bound_to(const std::shared_ptr<const Change>& a, const std::shared_ptr<const Change>& b) {
    std::vector<std::int64_t> places;
    Change both = *combined(*a, *b);
    both.held.clear();                                               // see held()
    Finisher finisher = finisher_of(both, a, b, places);
    return {std::move(finisher), std::move(places)};
  }

  /// Stages are bound once to what a change makes of the constants: most pairs have one that leaves them as they are.
  Finisher finisher_of(const Change& both, const std::shared_ptr<const Change>& first, const std::shared_ptr<const Change>& second, std::vector<std::int64_t>& places) {
    const Change &a = *first, &b = *second;
    const auto stages = case_.stages_of(both);
    const bool of_a = touched(first).constants, of_b = touched(second).constants;
    if (case_.has_own_lanes(stages) || (!of_a && !of_b)) return case_.finisher_of(both, few_, places);
    places = kept_.places;
    const auto bound_to_constants = [&](const std::shared_ptr<const Change>& c) -> StageBinder& {
      const auto at = bound_.find(c);
      return at != bound_.end() ? at->second : bound_.emplace(c, StageBinder(case_.context_of(*c, kept_.channels), case_.layer.place)).first->second;
    };
    if (!of_b) return case_.bound(stages, bound_to_constants(first));
    if (!of_a) return case_.bound(stages, bound_to_constants(second));
    // A change of scales across channels and one that leaves the scales alone go in either order: the former is known already.
    const bool by_context = !a.cell && !b.cell && !a.input && !b.input;
    if (by_context && a.across_channels != b.across_channels) {
      const auto& across = a.across_channels ? first : second;
      RequantizeContext context = bound_to_constants(across).context();
      (a.across_channels ? b : a).context(context);
      if (same_scales(context, bound_to_constants(across).context())) return bound_anew(stages, std::move(context));
    }
    return bound_anew(stages, case_.context_of(both, kept_.channels));
  }

  Finisher bound_anew(const Stages& stages, RequantizeContext context) const {
    StageBinder bind(std::move(context), case_.layer.place);
    return case_.bound(stages, bind);
  }

  static bool same_scales(const RequantizeContext& a, const RequantizeContext& b) {
    if (a.channels.size() != b.channels.size()) return false;
    for (std::size_t i = 0; i < a.channels.size(); ++i)
      if (a.channels[i].at("sw") != b.channels[i].at("sw")) return false;
    return true;
  }

  /// Accumulators by the suspect that changes them; null: the profile's.
  /// Most changes are out by the first elements, so that these come first, then all.
  bool add_sums(const std::shared_ptr<const Change>& key, std::vector<std::int64_t>& sums) const {
    const std::size_t end = sums.empty() ? std::min(asked_first, elements_.size()) : elements_.size();
    const std::vector<std::int64_t> next(elements_.begin() + static_cast<std::ptrdiff_t>(sums.size()), elements_.begin() + static_cast<std::ptrdiff_t>(end));
    const auto more = case_.sums_of(key ? *key : Change{}, next);
    sums.insert(sums.end(), more.begin(), more.end());
    return more.size() == next.size();
  }
  const Case& case_;
  std::vector<std::int64_t> elements_, channels_;
  std::unordered_map<Key, std::vector<std::int64_t>> sums_;
  std::vector<std::int64_t> few_;   // channels of the elements
  Case::Kept kept_;
  // A change that is kept here is no other's address.
  std::map<std::shared_ptr<const Change>, StageBinder> bound_;
  std::unordered_map<Key, Touched> touched_;
  const Key none_;                  // the profile's own sums
  std::uint64_t numbers_ = 0;       // of changes that were prepared
  std::unordered_map<std::uint64_t, Bound> known_;  // by who changes the stages, and who the constants
};

/// Elements spread over the whole output, for whose sums about this many products are enough.
std::vector<std::int64_t> spread_over(const Case& c, std::int64_t products) {
  const std::int64_t n = std::clamp<std::int64_t>(products / std::max<std::int64_t>(c.geometry().terms(), 1), 16, 128);
  std::vector<std::int64_t> some;
  const auto differing = static_cast<std::int64_t>(c.differing.size());
  for (std::int64_t k = 0; k < n; ++k) {
    some.push_back(c.differing[static_cast<std::size_t>(k * differing / n)]);
    some.push_back(k * c.size() / n);
  }
  return some;
}

/// Whether the change reproduces the whole output: block by block, so that one which does not soon shows it.
bool explains_all(const Case& c, const Change& change) {
  const auto as_observed = [&](std::int64_t i, double v) { return same_value(v, c.observed_value(i)) || c.is_open(i); };
  if (change.input || change.cell || change.sum) {
    const auto some = spread_over(c, 100000);
    const Values v = c.changed(change, some);
    if (v.size() != some.size()) return false;
    for (std::size_t k = 0; k < v.size(); ++k)
      if (!as_observed(some[k], v[k])) return false;
  }
  const Case::Whole whole = c.whole(change);
  if (whole.sums && static_cast<std::int64_t>(whole.sums->size()) != c.size()) return false;
  Values block;
  std::int64_t taken = 1024;
  for (std::int64_t from = 0; from < c.size(); from += taken, taken *= 4) {
    block.resize(static_cast<std::size_t>(std::min(taken, c.size() - from)));
    c.part(whole, from, block);
    for (std::size_t k = 0; k < block.size(); ++k)
      if (!as_observed(from + static_cast<std::int64_t>(k), block[k])) return false;
  }
  return true;
}

std::vector<std::int64_t> explained_alone(const Case& c, const Suspect& s) {
  std::vector<std::int64_t> right;
  const Values v = c.changed(*s.change, c.differing);
  for (std::size_t k = 0; k < v.size(); ++k)
    if (same_value(v[k], c.observed_value(c.differing[k]))) right.push_back(c.differing[k]);
  return right;
}

}  // namespace

std::optional<Pair> explain_by_two(const Case& c, const std::vector<Suspect>& suspects) {
  if (!c.accumulates() || c.differing.size() < fewest) return std::nullopt;
  std::vector<const Suspect*> parts;
  for (const auto& s : suspects)
    if (s.change && s.rank < 50 && s.name.find("-partial") == std::string::npos) parts.push_back(&s);
  std::stable_sort(parts.begin(), parts.end(), [](const Suspect* a, const Suspect* b) { return a->rank < b->rank; });
  PairTrial trial(c);
  std::vector<PairTrial::Prepared> prepared;
  for (const auto* s : parts) prepared.push_back(trial.prepared(s->change));
  struct Found {
    const Suspect *a, *b;
    int rank;
  };
  std::vector<Found> found;
  for (std::size_t i = 0; i < parts.size(); ++i)
    for (std::size_t k = i + 1; k < parts.size() && found.size() < alternatives_kept; ++k) {
      const Suspect &a = *parts[i], &b = *parts[k];
      if (a.name == b.name) continue;
      if (!combine(*a.change, *b.change)) continue;
      try {
        if (trial.fits(prepared[i], prepared[k]) && explains_all(c, *combined(*a.change, *b.change))) found.push_back({&a, &b, a.rank + b.rank});
      } catch (const std::exception&) {
        continue;  // the change does not fit this layer
      }
    }
  // A stale zero point is solved for: what it would have to be after the other change.
  std::vector<Suspect> stale;
  stale.reserve(parts.size());
  const std::size_t without_stale = found.size();
  for (std::size_t p = 0; p < parts.size(); ++p) {
    const Suspect* part = parts[p];
    if (found.size() - without_stale >= alternatives_kept) break;
    if (part->name == "zero-point:stale") continue;
    try {
      auto moved = causes::stale_zero_point(c, *part->change);
      if (!moved) continue;
      if (!combine(*part->change, *moved->change) || !trial.fits(prepared[p], trial.prepared(moved->change)) || !explains_all(c, *combined(*part->change, *moved->change))) continue;
      stale.push_back(std::move(*moved));
      found.push_back({part, &stale.back(), part->rank + stale.back().rank});
    } catch (const std::exception&) {
      continue;
    }
  }
  if (found.empty()) return std::nullopt;
  std::stable_sort(found.begin(), found.end(), [](const Found& a, const Found& b) { return a.rank < b.rank; });
  const Found best = found.front();
  Pair pair{*best.a, *best.b, explained_alone(c, *best.a), {}, {}};
  auto other = explained_alone(c, *best.b);
  const auto add = [](std::vector<std::string>& names, const std::string& name, const std::string& own) {
    if (name != own && std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  };
  for (const auto& f : found) {
    if (f.b->name == best.b->name) add(pair.instead_of_first, f.a->name, best.a->name);
    if (f.a->name == best.a->name) add(pair.instead_of_second, f.b->name, best.b->name);
    if (f.b->name == best.a->name) add(pair.instead_of_second, f.a->name, best.b->name);
    if (f.a->name == best.b->name) add(pair.instead_of_first, f.b->name, best.a->name);
  }
  if (other.size() > pair.alone.size()) {
    std::swap(pair.first, pair.second);
    std::swap(pair.instead_of_first, pair.instead_of_second);
    pair.alone = std::move(other);
  }
  return pair;
}

}  // namespace lastbit
