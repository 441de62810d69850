// attribute.cpp: from suspects to the smallest set of causes. See cause.hpp.
//
// A suspect is first tried on a sample of differing and of agreeing elements; only one that reproduces some and breaks none
// is computed in full, and that stops where it breaks one (verifier/candidates.hpp). What is reported has reproduced every element it
// claims and changed none that agreed. A near miss of a large layer is told by its sample.
#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>
#include <set>
#include <utility>

#include "lib/error.hpp"
#include "reports/words.hpp"
#include "verifier/candidates.hpp"
#include "verifier/cause.hpp"
#include "verifier/steps.hpp"
#include "verifier/ties.hpp"
#include "verifier/two_causes.hpp"
#include "verifier/two_values.hpp"

namespace lastbit {
namespace {

constexpr std::size_t near_misses_kept = 3, causes_kept = 4;

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
  // Values of 4 and 2 bits share a byte: one that is corrupted has all of them.
  const int bits = info(c.observed.dtype).bits;
  const std::int64_t in_byte = bits < 8 ? 8 / bits : 1;
  const auto one_byte = [&](const std::vector<std::int64_t>& places) {
    return std::all_of(places.begin(), places.end(), [&](std::int64_t i) { return i / in_byte == places.front() / in_byte; });
  };
  if (left.size() > 1 && left.size() < static_cast<std::size_t>(c.size()) && one_byte(left))
    return sentence = "The wrong elements, " + list(first) + " to " + list(stored_index(c.observed, left.back())) + ", share a byte: a corrupted value rather than a rule.", "position:element";
  if (left.size() == 1) return sentence = "One element alone is wrong, at " + list(first) + ": a corrupted value rather than a rule.", "position:element";
  std::set<std::int64_t> rows, channels, columns;  // of two at most: more are "several"; columns: of bytes
  const std::int64_t width = c.observed.rank() ? c.observed.dim(-1) : 1;
  std::int64_t inner = 1;
  for (std::int64_t a = 2; a < c.observed.rank(); ++a) inner *= c.observed.dim(a);
  for (const auto i : left) {
    if (rows.size() < 2) rows.insert(i / width);
    if (columns.size() < 2) columns.insert(i % width / in_byte);
    if (c.observed.rank() >= 2 && channels.size() < 2) channels.insert(i / inner % c.observed.dim(1));
  }
  if (rows.size() == 1 && c.observed.rank() >= 1 && c.size() > width) return sentence = "All wrong elements lie in the row of " + list(first) + ".", "position:row";
  if (static_cast<std::int64_t>(left.size()) < c.size() && left.back() == c.size() - 1 && left.back() - left.front() + 1 == static_cast<std::int64_t>(left.size()))
    return sentence = "The wrong elements are the last " + std::to_string(left.size()) + " in memory, from " + list(first) + " on: a tail.", "position:tail";
  if (channels.size() == 1 && c.observed.dim(1) > 1) return sentence = "All wrong elements lie in channel " + std::to_string(*channels.begin()) + ".", "position:channel";
  if (in_byte > 1 && columns.size() == 1 && c.observed.rank() == 2 && width % in_byte == 0 && width > in_byte)
    return sentence = "All wrong elements lie in channels " + std::to_string(*columns.begin() * in_byte) + " to " + std::to_string(*columns.begin() * in_byte + in_byte - 1) + ", which share bytes.", "position:channel";
  return "";
}

/// Whether as much could be right by chance: a change of m elements that all happen to be among the differing ones, with their
/// values. Asked of causes that leave something unexplained.
bool by_chance(const Case& c, std::int64_t explained) {
  const double differing = static_cast<double>(c.differing.size()), all = static_cast<double>(c.size());
  return static_cast<double>(explained) * (std::log(all / differing) + std::log(2.0)) < 9.2;  // 1 in 10,000: hundreds are tried
}

/// Causes chosen, and what they leave.
struct Cover {
  std::vector<CauseFound> causes;
  std::vector<std::int64_t> left;
  int rank = 0;  // of the least simple
};

/// Elements of a that are not in b; both sorted.
std::vector<std::int64_t> without(const std::vector<std::int64_t>& a, const std::vector<std::int64_t>& b) {
  std::vector<std::int64_t> rest;
  std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(rest));
  return rest;
}
/// How many elements of a are in b; both sorted.
std::int64_t shared(const std::vector<std::int64_t>& a, const std::vector<std::int64_t>& b) {
  std::int64_t n = 0;
  for (std::size_t i = 0, k = 0; i < a.size() && k < b.size();) {
    if (a[i] == b[k]) ++n, ++i, ++k;
    else if (a[i] < b[k]) ++i;
    else ++k;
  }
  return n;
}

/// Greedy: the first that explains most, then what adds most to it. Whatever explains the very same elements is its group; the
/// profiles among it come last, and do not stand in for a rule.
Cover covered(const Case& c, const std::vector<Tried>& clean) {
  Cover cover{{}, c.differing, 0};
  std::vector<const std::vector<std::int64_t>*> explained;
  while (!cover.left.empty() && cover.causes.size() < causes_kept) {
    const Tried* best = nullptr;
    std::int64_t most = 0;
    for (const auto& t : clean) {
      if (static_cast<std::int64_t>(t.explained.size()) < most) continue;
      const auto adds = cover.causes.empty() ? static_cast<std::int64_t>(t.explained.size()) : shared(t.explained, cover.left);
      if (adds > most || (best && adds == most && adds > 0 && t.suspect.rank < best->suspect.rank)) best = &t, most = adds;
    }
    if (!best) break;
    CauseFound f = found(c, *best, most);
    const auto enter = [&f](const std::string& name) {
      if (name != f.name && std::find(f.group.begin(), f.group.end(), name) == f.group.end()) f.group.push_back(name);
    };
    for (const auto& t : clean) {  // sorted by rank: simple first
      if (t.explained != best->explained) continue;
      enter(t.suspect.name);
      for (const auto& other : t.suspect.alike) enter(other);
    }
    cover.left = without(cover.left, best->explained);
    cover.rank = std::max(cover.rank, best->suspect.rank);
    cover.causes.push_back(std::move(f));
    explained.push_back(&best->explained);
  }
  // What leaves something unexplained must be more than chance; a whole profile, half of the difference.
  const auto weak = [&](const CauseFound& f) { return by_chance(c, f.explains) || (f.name.rfind("profile:", 0) == 0 && 2 * f.explains < f.of); };
  while (!cover.left.empty() && !cover.causes.empty() && weak(cover.causes.back())) {
    cover.causes.pop_back(), explained.pop_back();
    cover.left = c.differing;
    for (const auto* e : explained) cover.left = without(cover.left, *e);
  }
  return cover;
}

Cover covered_by(const Case& c, const Pair& two) {
  const auto alone = static_cast<std::int64_t>(two.alone.size()), all = static_cast<std::int64_t>(c.differing.size());
  const auto rest = without(c.differing, two.alone);
  const auto part = [](const Suspect& s, const std::vector<std::int64_t>& explained) {
    Tried t;
    t.suspect = s, t.explained = explained;
    return t;
  };
  CauseFound first = found(c, part(two.first, two.alone), alone), second = found(c, part(two.second, rest), all - alone);
  second.sentence = "Together with " + two.first.name + ": " + second.sentence;
  first.group = two.instead_of_first, second.group = two.instead_of_second;
  return {{std::move(first), std::move(second)}, {}, std::max(two.first.rank, two.second.rank)};
}

/// Whether a near miss is told by the elements it was tried on: the layer is large, or every sum would have to be formed anew.
bool told_by_sample(const Case& c, const Tried& t) {
  return c.size() > small_layer || (t.suspect.costly && has_long_sums(c));
}

/// The suspects that come nearest without being a cause: computed in full where the layer is small, else as their sample tells.
void add_near_misses(const Case& c, const Trial& trial, std::vector<Tried> near, LayerReport& report) {
  std::stable_sort(near.begin(), near.end(), [](const Tried& a, const Tried& b) { return a.share != b.share ? a.share > b.share : a.suspect.rank < b.suspect.rank; });
  std::set<std::string> names;
  for (const auto& cause : report.causes) names.insert(cause.name), names.insert(cause.group.begin(), cause.group.end());
  std::vector<Tried> best;
  for (auto& t : near) {
    if (best.size() >= near_misses_kept) break;
    if (!names.insert(t.suspect.name).second) continue;
    std::optional<Tried> told = std::move(t);
    if (!told->whole && !told_by_sample(c, *told)) told = trial.in_full(std::move(*told), true);
    else if (!told->counted) told = trial.in_full(std::move(*told), false, true);
    if (told) best.push_back(std::move(*told));
  }
  std::stable_sort(best.begin(), best.end(), [](const Tried& a, const Tried& b) { return a.share > b.share; });
  for (const auto& t : best) {
    CauseFound f = found(c, t, static_cast<std::int64_t>(t.explained.size()));
    f.of = t.differing;
    f.sentence += " (gives " + percent(t.share) + (t.whole ? " of all elements" : " of " + std::to_string(t.tried) + " elements tried") + (t.broken ? ", and changes " + std::to_string(t.broken) + " that agreed)" : ")");
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

  Candidates candidates(c, trial);
  candidates.consider(cheap);
  candidates.consider(costly, [](const Suspect& s) { return !s.run; });
  // Whole runs of the operator by other profiles come last. A large layer goes without where one rule explains everything.
  if (!(c.accumulates() && (c.size() > small_layer || has_long_sums(c)) && candidates.a_rule_explains_all())) candidates.consider(costly, [](const Suspect& s) { return s.run; });
  const auto cover_of_clean = [&] {
    auto clean = candidates.clean();
    std::stable_sort(clean.begin(), clean.end(), [](const Tried& a, const Tried& b) {
      return a.explained.size() != b.explained.size() ? a.explained.size() > b.explained.size() : a.suspect.rank != b.suspect.rank ? a.suspect.rank < b.suspect.rank : a.suspect.name < b.suspect.name;
    });
    return covered(c, clean);
  };
  Cover cover = cover_of_clean();
  // Two at once, every element by both, rather than some elements by one and the rest by another.
  bool by_two = false;
  if (!cover.left.empty() || cover.causes.size() > 1) {
    std::vector<Suspect> all = std::move(cheap);
    all.insert(all.end(), costly.begin(), costly.end());
    std::string place;  // what lies in one place is no rule of the whole layer
    const bool in_one_place = !c.accumulates() && !place_of(c, c.differing, place).empty();
    if (const auto two = c.accumulates() ? explain_by_two(c, all) : in_one_place ? std::nullopt : explain_values_by_two(c, all)) cover = covered_by(c, *two), by_two = true;
  }
  if (!cover.left.empty() && !by_two) {  // nothing exact does: values on the boundary of a rounding may lie on either side
    const std::size_t exact = candidates.clean().size();
    candidates.consider(either_side_of_boundaries(c, costly));
    if (candidates.clean().size() > exact) cover = cover_of_clean();
  }
  // One element (or byte) that a rule explains may as well be a corrupted one: nothing else tells.
  std::string alone;
  if (cover.left.empty() && cover.causes.size() == 1 && c.size() > 1 && place_of(c, c.differing, alone) == "position:element") cover.causes[0].group.push_back("position:element");
  for (auto& cause : cover.causes) report.causes.push_back(std::move(cause));
  report.unexplained += static_cast<std::int64_t>(cover.left.size()) - static_cast<std::int64_t>(c.differing.size());

  if (!cover.left.empty()) {
    std::string sentence;
    const auto own = cover.causes.empty() ? wrong_by_themselves(c) : cover.left;
    if (const std::string name = own.empty() ? "" : place_of(c, own, sentence); !name.empty()) {
      if (own.size() < cover.left.size()) sentence += " The other " + std::to_string(cover.left.size() - own.size()) + " that differ start from there.";
      CauseFound f{.name = name, .explains = 0, .of = static_cast<std::int64_t>(c.differing.size()), .sentence = sentence + " It stays unexplained.", .next = {}, .group = {}, .deciding = {stored_index(c.observed, own.front())}};
      f.next = next_command(c, f.deciding[0]);
      report.causes.push_back(std::move(f));
    }
  }
  add_near_misses(c, trial, candidates.near(), report);
}

}  // namespace lastbit
