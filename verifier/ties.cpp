// ties.cpp: see ties.hpp.
#include "verifier/ties.hpp"

#include <algorithm>
#include <cmath>
#include <memory>

#include "lib/num/round.hpp"
#include "verifier/real_forms.hpp"

namespace lastbit {
namespace {

constexpr double error = 0x1p-21;        // of float32 sums of a few terms, relative to value and zero point
constexpr double certain = 9.2;          // one in ten thousand, as a logarithm
constexpr std::size_t fewest = 3;        // elements on boundaries that are no chance
constexpr std::size_t asked_first = 16, sampled = 96;
constexpr std::int64_t most_left = 20;   // of so many explained, one may be left over

/// A value beside a boundary: what it is stored as on either side.
struct Sides {
  double below, above, nearest;
  bool apart() const { return below != above; }
};

class Boundaries {
 public:
  /// Of these elements (all when empty).
  Boundaries(const Case& c, const Layer& layer, const std::vector<std::int64_t>& elements) : y_(layer.out(c.port)), range_(activated_range(layer, y_)), of_(c.real_values(layer, elements)), all_(elements.empty()) {}
  bool known(const Case& c) const { return of_.real->f64.size() == of_.size(c.size()); }
  /// Both sides are the nearest where the value is no tie. Element i is the k-th asked for.
  Sides at(std::int64_t i) const { return at(i, static_cast<std::size_t>(i)); }
  Sides at(std::int64_t i, std::size_t k) const {
    const std::size_t place = of_.part || all_ ? of_.place(k) : static_cast<std::size_t>(i);
    const double zo = y_.zero_point_at(i), scaled = std::clamp(of_.real->f64[place] / y_.scale_at(i), -0x1p50, 0x1p50), low = std::floor(scaled);
    const auto stored = [&](double q) { return static_cast<double>(std::clamp(static_cast<std::int64_t>(q) + static_cast<std::int64_t>(zo), range_.min, range_.max)); };
    const double nearest = stored(static_cast<double>(rne(scaled)));
    if (std::abs(scaled - low - 0.5) > error * (1 + std::abs(scaled) + std::abs(zo))) return {nearest, nearest, nearest};
    return {stored(low), stored(low + 1), nearest};
  }

 private:
  const Tensor& y_;
  Range range_;
  Case::RealPart of_;
  bool all_;
};

void add_roundings(const Case& c, std::vector<Suspect>& all) {
  // Most differences show at once that they are not on boundaries.
  const std::vector<std::int64_t> some(c.differing.begin(), c.differing.begin() + static_cast<std::ptrdiff_t>(std::min(asked_first, c.differing.size())));
  const Boundaries first(c, c.layer, some);
  for (std::size_t k = 0; first.known(c) && k < some.size(); ++k)
    if (!first.at(some[k], k).apart()) return;
  const Boundaries boundaries(c, c.layer, {});
  if (!boundaries.known(c)) return;
  auto values = std::make_shared<Values>();
  std::int64_t on_boundaries = 0;
  std::size_t next = 0;
  for (std::int64_t i = 0; i < c.size(); ++i) {
    const Sides s = boundaries.at(i);
    const double observed = c.observed_value(i);
    const bool differs = next < c.differing.size() && c.differing[next] == i;
    next += differs;
    if (differs && (!s.apart() || (observed != s.below && observed != s.above))) return;
    on_boundaries += s.apart();
    values->push_back(s.apart() && (observed == s.below || observed == s.above) ? observed : s.nearest);
  }
  const double share = static_cast<double>(on_boundaries) / static_cast<double>(c.size());
  if (c.differing.size() < fewest || -static_cast<double>(c.differing.size()) * std::log(share) < certain) return;
  for (const char* name : {"round:half-even", "round:half-away", "round:half-up", "round:half-down", "zero-point:before-rounding", "zero-point:after-rounding"})
    all.push_back({name, "All that differs lies on the boundary of a rounding to nearest (" + std::to_string(on_boundaries) + " of " + std::to_string(c.size()) + " elements do), where float arithmetic in another order comes to either side: which rounding it was, they do not tell.",
                   16, [values](const std::vector<std::int64_t>& elements) { return at_elements(*values, elements); }});
}

Suspect beside(const Case& c, const Suspect& s) {
  Suspect other = s;
  other.rank += 3;
  other.sentence += " (In float arithmetic of another order: on the boundary of a rounding, either side is its own.)";
  other.change = nullptr, other.layer = nullptr, other.arithmetic = nullptr;
  const auto kept = std::make_shared<Values>();
  other.values = [&c, s, kept](const std::vector<std::int64_t>& elements) -> Values {
    if (kept->empty() && !elements.empty()) {  // what leaves half of a sample, or half of those that agree, is no cause but for boundaries
      const Sample& sample = c.sample(sampled);
      const Values some = s.values(sample.elements);
      std::size_t right = 0, agreeing = 0;
      for (std::size_t k = 0; k < some.size(); ++k)
        if (same_value(some[k], c.observed_value(sample.elements[k]))) ++right, agreeing += k >= sample.differing;
      if (2 * right < some.size() || 2 * agreeing < some.size() - std::min(some.size(), sample.differing)) return s.values(elements);
    }
    if (kept->empty()) {
      *kept = s.values({});
      if (static_cast<std::int64_t>(kept->size()) != c.size()) return {};
      std::vector<std::int64_t> left;
      std::int64_t explained = 0;
      for (const auto i : c.differing) explained += same_value((*kept)[static_cast<std::size_t>(i)], c.observed_value(i));
      for (std::int64_t i = 0; i < c.size(); ++i)
        if (!same_value((*kept)[static_cast<std::size_t>(i)], c.observed_value(i)) && !c.is_open(i)) left.push_back(i);
      if (!left.empty() && static_cast<std::int64_t>(left.size()) * most_left <= explained) {
        const Boundaries boundaries(c, *s.layer, {});
        if (!boundaries.known(c)) return {};
        for (const auto i : left)
          if (const Sides sides = boundaries.at(i); sides.apart() && (c.observed_value(i) == sides.below || c.observed_value(i) == sides.above)) (*kept)[static_cast<std::size_t>(i)] = c.observed_value(i);
      }
    }
    return at_elements(*kept, elements);
  };
  return other;
}

}  // namespace

std::vector<Suspect> either_side_of_boundaries(const Case& c, const std::vector<Suspect>& tried) {
  std::vector<Suspect> all;
  if (c.accumulates() || !has_real_forms(c) || !c.has_fractions(c.layer)) return all;
  add_roundings(c, all);
  for (const auto& s : tried)
    if (s.layer && s.layer->outputs.at(c.port).q.scale.size() == c.observed.q.scale.size()) all.push_back(beside(c, s));
  return all;
}

}  // namespace lastbit
