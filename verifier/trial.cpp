// trial.cpp: see trial.hpp.
#include "verifier/trial.hpp"

#include <algorithm>
#include <exception>
#include <utility>

namespace lastbit {
namespace {

constexpr std::size_t sample_size = 96, probe_size = 8, wide_size = 2048;
constexpr std::size_t judged_at_once = 16;
constexpr std::int64_t first_block = 1024, summed_at_once = 32, most_products = 200000, soon = 5 * first_block;

bool all_equal(const double* a, const double* b, std::size_t n) {
  bool equal = true;
  for (std::size_t i = 0; i < n; ++i) equal &= a[i] == b[i];
  return equal;
}

/// What changes constants and stages alone: tried on the accumulators that are there, block by block.
bool in_blocks(const Suspect& s) { return s.change && !s.change->input && !s.change->cell; }

/// Values, element by element in order, beside what was expected and observed.
class Judge {
 public:
  Judge(const Case& c, Tried& to) : case_(c), to_(to), observed_(c.observed_values()), some_open_(!c.expected.undefined.empty()) {
    to_.explained.clear();
    to_.explained.reserve(c.differing.size());
    to_.broken = to_.contradicted = 0;
  }
  void operator()(std::int64_t from, std::span<const double> v) {
    const auto& differing = case_.differing;
    for (std::size_t k = 0; k < v.size(); ++k) {
      if (const std::size_t end = std::min(k + judged_at_once, v.size()); k % judged_at_once == 0 && all_equal(&v[k], &observed_[static_cast<std::size_t>(from) + k], end - k)) {
        for (const std::int64_t last = from + static_cast<std::int64_t>(end); next_ < differing.size() && differing[next_] < last; ++next_) to_.explained.push_back(differing[next_]);
        right_ += static_cast<std::int64_t>(end - k);
        k = end - 1;
        continue;
      }
      const std::int64_t i = from + static_cast<std::int64_t>(k);
      const bool differs = next_ < differing.size() && differing[next_] == i;
      next_ += differs;
      const double o = observed_[static_cast<std::size_t>(i)];
      const bool same = v[k] == o || (v[k] != v[k] && o != o) || (some_open_ && !differs && case_.is_open(i));
      right_ += same;
      if (differs && same) to_.explained.push_back(i);
      if (differs && !same && !same_value(v[k], case_.expected_value(i))) ++to_.contradicted;
      if (!differs && !same) ++to_.broken;
    }
  }
  std::int64_t right() const { return right_; }

 private:
  const Case& case_;
  Tried& to_;
  const std::vector<double>& observed_;
  bool some_open_;
  std::size_t next_ = 0;
  std::int64_t right_ = 0;
};

/// Sums formed anew cost all products of an element: as many elements as two hundred thousand products allow.
std::size_t costly_size(const Case& c) {
  const std::int64_t terms = c.accumulates() ? std::max<std::int64_t>(c.geometry().terms(), 1) : 1;
  return static_cast<std::size_t>(std::clamp<std::int64_t>(most_products / 2 / terms, 16, sample_size));
}

}  // namespace

Trial::Trial(const Case& c) : case_(c), sample_(c.sample(sample_size)), probe_(c.sample(probe_size)), costly_sample_(c.sample(costly_size(c))) {}

std::optional<Tried> Trial::of_few(const Suspect& s) const {
  try {
    const bool sums_anew = s.costly && s.change;
    if (sums_anew && probe_.elements.size() < sample_.elements.size()) {  // a few elements first: most suspects change everything
      const auto t = of_some(s, probe_, true);
      if (!t || (t->explained.empty() && t->broken > 0)) return std::nullopt;
    }
    auto t = of_some(s, sums_anew || (s.run && case_.accumulates()) ? costly_sample_ : sample_);
    if (!t || t->explained.empty()) return std::nullopt;
    return t;
  } catch (const std::exception&) {
    return std::nullopt;  // the change does not fit this layer
  }
}

Tried Trial::of_more(Tried t) const {
  const Suspect& s = t.suspect;
  if (s.change || case_.size() <= small_layer || !(case_.has_parts() || s.few_are_cheap)) return t;
  try {
    if (auto more = of_some(s, case_.sample(wide_size))) return std::move(*more);
  } catch (const std::exception&) {
  }
  return t;
}

bool Trial::breaks_soon(const Tried& t) const {
  if (!in_blocks(t.suspect) || t.suspect.change->sum) return false;
  try {
    const Case::Whole whole = case_.whole(*t.suspect.change);
    Values block(static_cast<std::size_t>(std::min(soon, case_.size())));
    case_.part(whole, 0, block);
    Tried first = t;
    Judge judge(case_, first);
    judge(0, block);
    return first.broken > 0;
  } catch (const std::exception&) {
    return false;
  }
}

std::optional<Tried> Trial::in_full(Tried t, bool to_the_end, bool count) const {
  try {
    return judged(std::move(t), to_the_end, count);
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

std::optional<Tried> Trial::judged(Tried t, bool to_the_end, bool count) const {
  Tried full = t;
  Judge judge(case_, full);
  const auto& change = t.suspect.change;
  if (in_blocks(t.suspect) && case_.size() > small_layer && !to_the_end) {
    const Case::Whole whole = case_.whole(*change);
    Values block;
    std::int64_t taken = first_block;
    for (std::int64_t from = 0; from < case_.size(); from += std::exchange(taken, 4 * taken)) {
      const std::int64_t end = std::min(from + taken, case_.size()), step = change->sum ? summed_at_once : taken;
      for (std::int64_t first = from; first < end; first += step) {
        block.resize(static_cast<std::size_t>(std::min(step, end - first)));
        case_.part(whole, first, block);
        judge(first, block);
        if (full.broken > 0 && !count) return t.broken = 1, t.counted = false, t;
      }
      if (full.broken > 0 || full.contradicted >= std::max<std::int64_t>(1, static_cast<std::int64_t>(full.explained.size()))) return t.broken = full.broken, t.counted = true, t;
    }
  } else {
    const Values all = t.suspect.values({});
    if (static_cast<std::int64_t>(all.size()) != case_.size()) return std::nullopt;
    judge(0, all);
  }
  full.tried = case_.size(), full.differing = static_cast<std::int64_t>(case_.differing.size()), full.whole = true;
  full.share = static_cast<double>(judge.right()) / static_cast<double>(full.tried);
  return full;
}

/// The differing ones first: where none of them is reproduced, the others are not asked of what is costly, or only `until_broken`: one that is
/// changed will do.
std::optional<Tried> Trial::of_some(const Suspect& s, const Sample& of, bool until_broken) const {
  const auto& elements = of.elements;
  const std::size_t differing = of.differing;
  Tried t{s, {}, 0, 0, static_cast<std::int64_t>(elements.size()), static_cast<std::int64_t>(differing), 0, false};
  std::size_t right = 0;
  const auto ask = [&](std::size_t from, std::size_t to) {
    if (from == to) return true;
    const Values v = s.values({elements.begin() + static_cast<std::ptrdiff_t>(from), elements.begin() + static_cast<std::ptrdiff_t>(to)});
    if (v.size() != to - from) return false;
    for (std::size_t k = from; k < to; ++k) {
      const double value = v[k - from];
      const bool same = same_value(value, case_.observed_value(elements[k]));
      right += same;
      if (k < differing && same) t.explained.push_back(elements[k]);
      if (k < differing && !same && !same_value(value, case_.expected_value(elements[k]))) ++t.contradicted;
      if (k >= differing && !same) ++t.broken;
    }
    return true;
  };
  const std::size_t first = s.costly ? differing : elements.size();
  if (!ask(0, first)) return std::nullopt;
  if (!t.explained.empty() && !ask(first, elements.size())) return std::nullopt;
  for (std::size_t k = first; until_broken && t.explained.empty() && t.broken == 0 && k < elements.size(); ++k)
    if (!ask(k, k + 1)) return std::nullopt;
  t.share = static_cast<double>(right) / static_cast<double>(elements.size());
  return t;
}

}  // namespace lastbit
