// attribute.cpp: from suspects to the smallest set of causes. See cause.hpp.
//
// A suspect is first tried on a sample of differing and of agreeing elements; only one that reproduces some and breaks none
// is computed in full. What is reported has reproduced every element it claims and changed none that agreed.
#include <algorithm>
#include <map>
#include <set>

#include "lib/error.hpp"
#include "verifier/cause.hpp"

namespace lastbit {
namespace {

constexpr std::size_t sample_size = 96, near_misses_kept = 3;

/// Elements spread over a list, first and last among them.
std::vector<std::int64_t> spread(const std::vector<std::int64_t>& from, std::size_t n) {
  if (from.size() <= n) return from;
  std::vector<std::int64_t> some;
  for (std::size_t i = 0; i < n; ++i) some.push_back(from[i * (from.size() - 1) / (n - 1)]);
  return some;
}

struct Tried {
  Suspect suspect;
  std::vector<std::int64_t> explained;  // differing elements reproduced
  std::int64_t broken = 0;              // agreeing elements changed
  double share = 0;                     // of the sample, for near misses that were not computed in full
};

class Trial {
 public:
  explicit Trial(const Case& c) : case_(c) {
    std::vector<std::int64_t> agreeing;
    std::size_t next = 0;
    for (std::int64_t i = 0; i < c.size(); ++i) {
      if (next < c.differing.size() && c.differing[next] == i) ++next;
      else agreeing.push_back(i);
    }
    differing_sample_ = spread(c.differing, sample_size);
    sample_ = differing_sample_;
    const auto others = spread(agreeing, sample_size);
    sample_.insert(sample_.end(), others.begin(), others.end());
  }

  /// Null when the suspect reproduces nothing of the sample.
  std::optional<Tried> run(const Suspect& s) const {
    Values v;
    try {
      v = s.values(sample_);
    } catch (const Error&) {
      return std::nullopt;  // the change does not fit this layer
    }
    if (v.size() != sample_.size()) return std::nullopt;
    std::size_t explained = 0, broken = 0;
    for (std::size_t k = 0; k < v.size(); ++k) {
      const bool same = same_value(v[k], case_.observed_value(sample_[k]));
      if (k < differing_sample_.size()) explained += same;
      else broken += !same;
    }
    if (explained == 0) return std::nullopt;
    Tried t{s, {}, static_cast<std::int64_t>(broken), static_cast<double>(explained + sample_.size() - differing_sample_.size() - broken) / static_cast<double>(sample_.size())};
    if (broken > 0) return t;
    const Values all = s.values({});
    if (static_cast<std::int64_t>(all.size()) != case_.size()) return std::nullopt;
    std::size_t next = 0;
    std::int64_t right = 0;
    for (std::int64_t i = 0; i < case_.size(); ++i) {
      const bool differs = next < case_.differing.size() && case_.differing[next] == i;
      next += differs;
      const bool same = same_value(all[static_cast<std::size_t>(i)], differs ? case_.observed_value(i) : case_.expected_value(i));
      right += same;
      if (differs && same) t.explained.push_back(i);
      if (!differs && !same) ++t.broken;
    }
    t.share = static_cast<double>(right) / static_cast<double>(case_.size());
    return t;
  }

 private:
  const Case& case_;
  std::vector<std::int64_t> differing_sample_, sample_;
};

std::string percent(double share) {
  const auto hundredths = static_cast<std::int64_t>(share * 10000);
  const std::string rest = std::to_string(hundredths % 100);
  return std::to_string(hundredths / 100) + "." + (rest.size() < 2 ? "0" : "") + rest + "%";
}

CauseFound found(const Case& c, const Tried& t, std::int64_t explains) {
  CauseFound f;
  f.name = t.suspect.name;
  f.explains = explains;
  f.of = static_cast<std::int64_t>(c.differing.size());
  f.sentence = t.suspect.sentence;
  for (std::size_t k = 0; k < t.explained.size() && k < 3; ++k) f.deciding.push_back(stored_index(c.observed, t.explained[k]));
  if (!f.deciding.empty()) {
    std::string at;
    for (const auto v : f.deciding[0]) at += (at.empty() ? "" : ",") + std::to_string(v);
    f.next = "lastbit explain " + c.dump.name() + " '" + c.layer.name + "' --at " + (at.empty() ? "0" : at);
  }
  return f;
}

/// Where elements that no rule explains lie: one element, one row (all axes but the last alike), one channel (axis 1 alike), or
/// the tail (a contiguous run up to the end). Empty when they are spread.
std::string place_of(const Case& c, const std::vector<std::int64_t>& left, std::string& sentence) {
  const auto list = [](const std::vector<std::int64_t>& v) {
    std::string s;
    for (const auto i : v) s += (s.empty() ? "" : ", ") + std::to_string(i);
    return "[" + s + "]";
  };
  const auto first = stored_index(c.observed, left.front());
  if (left.size() == 1) return sentence = "One element alone is wrong, at " + list(first) + ": a corrupted value rather than a rule.", "position:element";
  std::set<std::int64_t> rows, channels;
  const std::int64_t width = c.observed.rank() ? c.observed.dim(-1) : 1;
  std::int64_t inner = 1;
  for (std::int64_t a = 2; a < c.observed.rank(); ++a) inner *= c.observed.dim(a);
  for (const auto i : left) {
    rows.insert(i / width);
    if (c.observed.rank() >= 2) channels.insert(i / inner % c.observed.dim(1));
  }
  if (rows.size() == 1 && c.observed.rank() >= 1 && c.size() > width) return sentence = "All wrong elements lie in the row of " + list(first) + ".", "position:row";
  if (left.back() == c.size() - 1 && left.back() - left.front() + 1 == static_cast<std::int64_t>(left.size()))
    return sentence = "The wrong elements are the last " + std::to_string(left.size()) + " in memory, from " + list(first) + " on: a tail.", "position:tail";
  if (channels.size() == 1 && c.observed.dim(1) > 1) return sentence = "All wrong elements lie in channel " + std::to_string(*channels.begin()) + ".", "position:channel";
  return "";
}

}  // namespace

void attribute(const Case& c, LayerReport& report) {
  const Trial trial(c);
  std::vector<Suspect> cheap, costly;
  for (const auto& cause : all_causes())
    for (auto& s : cause.suspects(c)) (s.costly ? costly : cheap).push_back(std::move(s));

  std::vector<Tried> clean, near;
  bool whole = false;
  const auto consider = [&](const Suspect& s) {
    auto t = trial.run(s);
    if (!t) return;
    if (t->broken == 0 && !t->explained.empty()) whole |= t->explained.size() == c.differing.size(), clean.push_back(std::move(*t));
    else near.push_back(std::move(*t));
  };
  for (const auto& s : cheap) consider(s);
  for (const auto& s : costly) consider(s);
  std::stable_sort(clean.begin(), clean.end(), [](const Tried& a, const Tried& b) {
    return a.explained.size() != b.explained.size() ? a.explained.size() > b.explained.size() : a.suspect.rank != b.suspect.rank ? a.suspect.rank < b.suspect.rank : a.suspect.name < b.suspect.name;
  });

  // Greedy cover: the first that explains most, then what adds most to it. Whatever explains the very same elements is its group.
  std::set<std::int64_t> left(c.differing.begin(), c.differing.end());
  while (!left.empty()) {
    const Tried* best = nullptr;
    std::int64_t most = 0;
    for (const auto& t : clean) {
      const auto adds = std::count_if(t.explained.begin(), t.explained.end(), [&](std::int64_t i) { return left.count(i) > 0; });
      if (adds > most || (best && adds == most && adds > 0 && t.suspect.rank < best->suspect.rank)) best = &t, most = adds;
    }
    if (!best) break;
    CauseFound f = found(c, *best, most);
    for (const auto& t : clean)
      if (t.suspect.name != f.name && t.explained == best->explained && t.suspect.rank <= best->suspect.rank + 9 && std::find(f.group.begin(), f.group.end(), t.suspect.name) == f.group.end()) f.group.push_back(t.suspect.name);
    for (const auto i : best->explained) left.erase(i);
    report.causes.push_back(std::move(f));
    if (report.causes.size() == 4) break;
  }
  report.unexplained += static_cast<std::int64_t>(left.size()) - static_cast<std::int64_t>(c.differing.size());

  if (!left.empty()) {
    std::string sentence;
    if (const std::string name = place_of(c, {left.begin(), left.end()}, sentence); !name.empty()) {
      CauseFound f{.name = name, .explains = 0, .of = static_cast<std::int64_t>(c.differing.size()), .sentence = sentence + " It stays unexplained.", .next = {}, .group = {}, .deciding = {stored_index(c.observed, *left.begin())}};
      report.causes.push_back(std::move(f));
    }
  }
  std::stable_sort(near.begin(), near.end(), [](const Tried& a, const Tried& b) { return a.share != b.share ? a.share > b.share : a.suspect.rank < b.suspect.rank; });
  if (!left.empty())
    for (std::size_t k = 0; k < near.size() && k < near_misses_kept; ++k) {
      CauseFound f = found(c, near[k], 0);
      f.sentence += " (would give " + percent(near[k].share) + " of the elements looked at)";
      report.near_misses.push_back(std::move(f));
    }
}

}  // namespace lastbit
