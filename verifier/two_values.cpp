// two_values.cpp: see two_values.hpp.
#include "verifier/two_values.hpp"

#include <algorithm>
#include <exception>
#include <map>

namespace lastbit {
namespace {

constexpr std::int64_t most_elements = 1500000;
constexpr std::size_t fewest = 6, most_layers = 10;                 // differing elements; layers tried with every arithmetic
constexpr std::size_t asked_first = 48;                             // of each kind, where a few elements can be asked alone
constexpr std::int64_t far = std::int64_t{1} << 40;

using Arithmetic = std::function<Values(const Layer&, const std::vector<std::int64_t>& elements)>;

class Search {
 public:
  Search(const Case& c, const std::vector<Suspect>& suspects) : case_(c), own_([&c](const Layer& l, const std::vector<std::int64_t>& e) { return c.rerun(l, c.cell, e); }), first_(c.sample(asked_first).elements), differing_(c.sample(asked_first).differing), left_(most_elements / std::max<std::int64_t>(c.size(), 1)) {
    for (const auto& s : suspects) {
      if (s.rank >= 50 || s.run) continue;
      if (s.layer && s.name != "zero-point:stale" && layers_.size() < most_layers) layers_.push_back(&s);
      if (s.arithmetic) arithmetics_.push_back(&s);
    }
    const auto by_rank = [](const Suspect* a, const Suspect* b) { return a->rank < b->rank; };
    std::stable_sort(layers_.begin(), layers_.end(), by_rank);
    std::stable_sort(arithmetics_.begin(), arithmetics_.end(), by_rank);
  }

  std::optional<Pair> run() {
    const bool parts = case_.has_parts();
    for (const auto* a : arithmetics_) with_stale(*a, a->arithmetic, case_.layer, parts || a->few_are_cheap);
    for (const auto* l : layers_) with_stale(*l, own_, *l->layer, parts);
    for (const auto* l : layers_)
      for (const auto* a : arithmetics_)
        if (l->name != a->name && explains_all(a->arithmetic, *l->layer, parts || a->few_are_cheap)) enter(*l, *a);
    if (found_.empty()) return std::nullopt;
    std::stable_sort(found_.begin(), found_.end(), [](const auto& a, const auto& b) { return a.first.rank + a.second.rank < b.first.rank + b.second.rank; });
    Pair best = found_.front();
    for (const auto& other : found_) {
      const auto add = [](std::vector<std::string>& names, const std::string& name, const std::string& own) {
        if (name != own && std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
      };
      if (other.second.name == best.second.name) add(best.instead_of_first, other.first.name, best.first.name);
      if (other.first.name == best.first.name) add(best.instead_of_second, other.second.name, best.second.name);
    }
    best.alone = explained_alone(best.first);
    if (auto by_other = explained_alone(best.second); by_other.size() > best.alone.size()) {
      std::swap(best.first, best.second);
      std::swap(best.instead_of_first, best.instead_of_second);
      best.alone = std::move(by_other);
    }
    return best;
  }

 private:
  /// The output of all elements, or of some; empty when it cannot be computed.
  static Values computed(const Arithmetic& arithmetic, const Layer& layer, const std::vector<std::int64_t>& elements) {
    try {
      return arithmetic(layer, elements);
    } catch (const std::exception&) {
      return {};  // the change does not fit this layer
    }
  }
  bool as_observed(double v, std::int64_t i) const { return same_value(v, case_.observed_value(i)) || case_.is_open(i); }
  /// As many whole outputs may be computed as the search has left; a few elements tell of most that it would be in vain.
  bool explains_all(const Arithmetic& arithmetic, const Layer& layer, bool few_are_cheap) {
    if (left_-- <= 0) return false;
    if (few_are_cheap) {
      const Values some = computed(arithmetic, layer, first_);
      for (std::size_t k = 0; k < some.size(); ++k)
        if (!as_observed(some[k], first_[k])) return false;
    }
    const Values v = computed(arithmetic, layer, {});
    if (static_cast<std::int64_t>(v.size()) != case_.size()) return false;
    for (std::int64_t i = 0; i < case_.size(); ++i)
      if (!as_observed(v[static_cast<std::size_t>(i)], i)) return false;
    return true;
  }
  std::vector<std::int64_t> explained_alone(const Suspect& s) const {
    std::vector<std::int64_t> right;
    const Values v = s.values(case_.differing);
    for (std::size_t k = 0; k < v.size() && k < case_.differing.size(); ++k)
      if (same_value(v[k], case_.observed_value(case_.differing[k]))) right.push_back(case_.differing[k]);
    return right;
  }
  void enter(const Suspect& a, const Suspect& b) { found_.push_back({a, b, {}, {}, {}}); }

  /// What the zero point would have to be after the other change: from how far its results, unclamped, are off.
  void with_stale(const Suspect& s, const Arithmetic& arithmetic, const Layer& layer, bool few_are_cheap) {
    const Tensor& y = case_.observed;
    if (case_.port != "y" || is_float(y.dtype) || !y.q.quantized() || y.q.zero_point.size() > 1 || y.q.float_zero_point) return;
    const auto open = keep(layer);
    case_.share_real_values(*open, layer);
    open->outputs.at("y").q.qmin = -far, open->outputs.at("y").q.qmax = far;
    if (open->attributes.has("activation")) open->attributes.values["activation"] = std::string("none");
    const Range own_range = activated_range(layer, y);  // what an activation clamps does not move as the rest does
    const auto is_inside = [&y, own_range](double q) { return q > static_cast<double>(std::max(y.q.qmin, own_range.min)) && q < static_cast<double>(std::min(y.q.qmax, own_range.max)); };
    if (left_-- <= 0) return;
    if (few_are_cheap && !moved_alike(computed(arithmetic, *open, first_), is_inside)) return;
    Values v = computed(arithmetic, *open, {});
    if (v.empty() && left_-- > 0) v = computed(arithmetic, layer, {});  // an operator that takes no such range
    if (static_cast<std::int64_t>(v.size()) != case_.size()) return;
    std::map<std::int64_t, std::int64_t> moved;
    for (const auto i : case_.differing) {
      const double o = case_.observed_value(i);
      if (o > static_cast<double>(y.q.qmin) && o < static_cast<double>(y.q.qmax)) ++moved[static_cast<std::int64_t>(o - v[static_cast<std::size_t>(i)])];
    }
    const auto most = std::max_element(moved.begin(), moved.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
    if (most == moved.end() || most->first == 0 || most->second < 2) return;
    const std::int64_t own = y.q.integer_zero_point(), stale = own + most->first;
    if (stale < info(y.dtype).min || stale > info(y.dtype).max) return;
    const auto other = keep(layer), alone = keep(case_.layer);
    case_.share_real_values(*other, layer);
    for (const auto& l : {other, alone}) l->outputs.at("y").q.zero_point = {static_cast<double>(stale)};
    if (!explains_all(arithmetic, *other, few_are_cheap)) return;
    enter(s, rerun_suspect(case_, "zero-point:stale", "The output was written with zero point " + std::to_string(stale) + " instead of " + std::to_string(own) + ".", *alone, 20));
  }
  /// Whether one other zero point may stand behind all of these: inside the range every element then moves by as much, but for ties that go
  /// another way. What agrees has moved with them: where most of that stays, none has.
  template <class Inside>
  bool moved_alike(const Values& some, Inside is_inside) const {
    double least = far, most = -far;
    std::size_t agreeing = 0, stay = 0;
    for (std::size_t k = 0; k < some.size(); ++k)
      if (const double o = case_.observed_value(first_[k]); is_inside(o) && is_inside(some[k]) && !case_.is_open(first_[k])) {
        least = std::min(least, o - some[k]), most = std::max(most, o - some[k]);
        agreeing += k >= differing_, stay += k >= differing_ && o == some[k];
      }
    if (4 * stay > 3 * agreeing) return false;
    return least > most || most - least < 2 || (most - least == 2 && least != -1);
  }
  std::shared_ptr<Layer> keep(const Layer& layer) { return kept_.emplace_back(std::make_shared<Layer>(layer)); }

  const Case& case_;
  Arithmetic own_;
  std::vector<std::int64_t> first_;                                 // asked before all others: those that differ, so many, then others
  std::size_t differing_;
  std::int64_t left_;
  std::vector<const Suspect*> layers_, arithmetics_;
  std::vector<std::shared_ptr<Layer>> kept_;                        // real values are remembered by a layer's address
  std::vector<Pair> found_;
};

}  // namespace

std::optional<Pair> explain_values_by_two(const Case& c, const std::vector<Suspect>& suspects) {
  if (c.accumulates() || c.differing.size() < fewest) return std::nullopt;
  return Search(c, suspects).run();
}

}  // namespace lastbit
