// attribute.cpp: from suspects to the smallest set of causes. See cause.hpp.
//
// A suspect is first tried on a sample of differing and of agreeing elements; only one that reproduces some and breaks none
// is computed in full. What is reported has reproduced every element it claims and changed none that agreed.
#include <algorithm>
#include <exception>
#include <iterator>
#include <set>

#include "lib/error.hpp"
#include "reports/words.hpp"
#include "verifier/cause.hpp"
#include "verifier/two_causes.hpp"

namespace lastbit {
namespace {

constexpr std::size_t sample_size = 96, near_misses_kept = 3, causes_kept = 4;
constexpr int profile_rank = 50;

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
  std::int64_t contradicted = 0;        // differing elements changed to something else than the observed value
  double share = 0;                     // right elements: of the sample, or of all when it was computed in full
  /// Breaks nothing, and speaks for more of the difference than against it: what is left may have another cause.
  bool plausible() const { return broken == 0 && !explained.empty() && static_cast<std::int64_t>(explained.size()) > contradicted; }
};

class Trial {
 public:
  explicit Trial(const Case& c) : case_(c) {
    std::vector<std::int64_t> agreeing;
    std::size_t next = 0;
    for (std::int64_t i = 0; i < c.size(); ++i) {
      if (next < c.differing.size() && c.differing[next] == i) ++next;
      else if (!c.is_open(i)) agreeing.push_back(i);
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
    } catch (const std::exception&) {
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
    Tried t{s, {}, static_cast<std::int64_t>(broken), 0, static_cast<double>(explained + sample_.size() - differing_sample_.size() - broken) / static_cast<double>(sample_.size())};
    if (broken > 0) return t;
    return in_full(std::move(t));
  }

  /// The same on all elements.
  std::optional<Tried> in_full(Tried t) const {
    const Values all = t.suspect.values({});
    if (static_cast<std::int64_t>(all.size()) != case_.size()) return std::nullopt;
    t.explained.clear();
    t.broken = t.contradicted = 0;
    std::size_t next = 0;
    std::int64_t right = 0;
    for (std::int64_t i = 0; i < case_.size(); ++i) {
      const bool differs = next < case_.differing.size() && case_.differing[next] == i;
      next += differs;
      const double v = all[static_cast<std::size_t>(i)];
      const bool same = same_value(v, case_.observed_value(i)) || (!differs && case_.is_open(i));
      right += same;
      if (differs && same) t.explained.push_back(i);
      if (differs && !same && !same_value(v, case_.expected_value(i))) ++t.contradicted;
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

std::string next_command(const Case& c, const std::vector<std::int64_t>& index) {
  std::string at;
  for (const auto v : index) at += (at.empty() ? "" : ",") + std::to_string(v);
  return words::shell({"lastbit", "explain", c.dump.name(), c.layer.name, "--at", at.empty() ? "0" : at});
}

CauseFound found(const Case& c, const Tried& t, std::int64_t explains) {
  CauseFound f;
  f.name = t.suspect.name;
  f.explains = explains;
  f.of = static_cast<std::int64_t>(c.differing.size());
  f.sentence = t.suspect.sentence;
  for (std::size_t k = 0; k < t.explained.size() && k < 3; ++k) f.deciding.push_back(stored_index(c.observed, t.explained[k]));
  if (!f.deciding.empty()) f.next = next_command(c, f.deciding[0]);
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
  if (static_cast<std::int64_t>(left.size()) < c.size() && left.back() == c.size() - 1 && left.back() - left.front() + 1 == static_cast<std::int64_t>(left.size()))
    return sentence = "The wrong elements are the last " + std::to_string(left.size()) + " in memory, from " + list(first) + " on: a tail.", "position:tail";
  if (channels.size() == 1 && c.observed.dim(1) > 1) return sentence = "All wrong elements lie in channel " + std::to_string(*channels.begin()) + ".", "position:channel";
  return "";
}

/// Causes chosen, and what they leave.
struct Cover {
  std::vector<CauseFound> causes;
  std::set<std::int64_t> left;
  int rank = 0;  // of the least simple
};

/// Greedy: the first that explains most, then what adds most to it. Whatever explains the very same elements is its group; the
/// profiles among it come last, and do not stand in for a rule.
Cover covered(const Case& c, const std::vector<Tried>& clean) {
  Cover cover{{}, {c.differing.begin(), c.differing.end()}, 0};
  while (!cover.left.empty() && cover.causes.size() < causes_kept) {
    const Tried* best = nullptr;
    std::int64_t most = 0;
    for (const auto& t : clean) {
      const auto adds = std::count_if(t.explained.begin(), t.explained.end(), [&](std::int64_t i) { return cover.left.count(i) > 0; });
      if (adds > most || (best && adds == most && adds > 0 && t.suspect.rank < best->suspect.rank)) best = &t, most = adds;
    }
    if (!best) break;
    CauseFound f = found(c, *best, most);
    for (const auto& t : clean)  // sorted by rank: simple first
      if (t.suspect.name != f.name && t.explained == best->explained && std::find(f.group.begin(), f.group.end(), t.suspect.name) == f.group.end()) f.group.push_back(t.suspect.name);
    for (const auto i : best->explained) cover.left.erase(i);
    cover.rank = std::max(cover.rank, best->suspect.rank);
    cover.causes.push_back(std::move(f));
  }
  return cover;
}

Cover covered_by(const Case& c, const Pair& two) {
  const auto alone = static_cast<std::int64_t>(two.alone.size()), all = static_cast<std::int64_t>(c.differing.size());
  std::vector<std::int64_t> rest;
  std::set_difference(c.differing.begin(), c.differing.end(), two.alone.begin(), two.alone.end(), std::back_inserter(rest));
  CauseFound first = found(c, {two.first, two.alone, 0, 0, 0}, alone), second = found(c, {two.second, rest, 0, 0, 0}, all - alone);
  second.sentence = "Together with " + two.first.name + ": " + second.sentence;
  first.group = two.instead_of_first, second.group = two.instead_of_second;
  return {{std::move(first), std::move(second)}, {}, std::max(two.first.rank, two.second.rank)};
}

/// The suspects that come nearest without being a cause, computed in full.
void add_near_misses(const Case& c, const Trial& trial, std::vector<Tried> near, LayerReport& report) {
  std::stable_sort(near.begin(), near.end(), [](const Tried& a, const Tried& b) { return a.share != b.share ? a.share > b.share : a.suspect.rank < b.suspect.rank; });
  std::set<std::string> names;
  for (const auto& cause : report.causes) names.insert(cause.name), names.insert(cause.group.begin(), cause.group.end());
  std::vector<Tried> best;
  for (auto& t : near)
    if (best.size() < near_misses_kept && names.insert(t.suspect.name).second)
      if (auto full = t.explained.empty() ? trial.in_full(std::move(t)) : std::optional(std::move(t))) best.push_back(std::move(*full));
  std::stable_sort(best.begin(), best.end(), [](const Tried& a, const Tried& b) { return a.share > b.share; });
  for (const auto& t : best) {
    CauseFound f = found(c, t, static_cast<std::int64_t>(t.explained.size()));
    f.sentence += " (gives " + percent(t.share) + " of all elements" + (t.broken ? ", and changes " + std::to_string(t.broken) + " that agreed)" : ")");
    report.near_misses.push_back(std::move(f));
  }
}

}  // namespace

void attribute(const Case& c, LayerReport& report) {
  const Trial trial(c);
  std::vector<Suspect> cheap, costly;
  for (const auto& cause : all_causes())
    for (auto& s : cause.suspects(c)) {
      if (s.change && s.change->input && !s.change->cell && c.cell.get("pairs", "none") != "none") {  // other operands may saturate otherwise
        Change exact = *s.change;
        exact.cell = c.cell;
        exact.cell->with["pairs"] = "none";
        costly.push_back(suspect(c, s.name, s.sentence + " (And no pair of products saturates.)", std::move(exact), s.rank + 2));
      }
      (s.costly ? costly : cheap).push_back(std::move(s));
    }

  std::vector<Tried> clean, near;
  const auto consider = [&](const Suspect& s) {
    if (auto t = trial.run(s)) (t->plausible() ? clean : near).push_back(std::move(*t));
  };
  for (const auto& s : cheap) consider(s);
  for (const auto& s : costly) consider(s);
  std::stable_sort(clean.begin(), clean.end(), [](const Tried& a, const Tried& b) {
    return a.explained.size() != b.explained.size() ? a.explained.size() > b.explained.size() : a.suspect.rank != b.suspect.rank ? a.suspect.rank < b.suspect.rank : a.suspect.name < b.suspect.name;
  });

  Cover cover = covered(c, clean);
  if (!cover.left.empty() || cover.causes.size() > 2 || (cover.causes.size() == 2 && cover.rank >= profile_rank)) {
    std::vector<Suspect> all = std::move(cheap);
    all.insert(all.end(), costly.begin(), costly.end());
    if (const auto two = explain_by_two(c, all)) cover = covered_by(c, *two);
  }
  for (auto& cause : cover.causes) report.causes.push_back(std::move(cause));
  report.unexplained += static_cast<std::int64_t>(cover.left.size()) - static_cast<std::int64_t>(c.differing.size());

  if (!cover.left.empty()) {
    std::string sentence;
    if (const std::string name = place_of(c, {cover.left.begin(), cover.left.end()}, sentence); !name.empty()) {
      CauseFound f{.name = name, .explains = 0, .of = static_cast<std::int64_t>(c.differing.size()), .sentence = sentence + " It stays unexplained.", .next = {}, .group = {}, .deciding = {stored_index(c.observed, *cover.left.begin())}};
      f.next = next_command(c, f.deciding[0]);
      report.causes.push_back(std::move(f));
    }
  }
  add_near_misses(c, trial, std::move(near), report);
}

}  // namespace lastbit
