// candidates.cpp: see candidates.hpp.
#include "verifier/candidates.hpp"

#include <algorithm>

namespace lastbit {
namespace {

constexpr int profile_rank = 50;

bool explains_sample(const Tried& t) { return static_cast<std::int64_t>(t.explained.size()) == t.differing; }

}  // namespace

/// Whether the name stands for all that differs already, by a suspect as simple.
bool Candidates::is_spare(const Suspect& s) const {
  const auto at = complete_.find(s.name);
  return at != complete_.end() && at->second <= s.rank;
}

bool Candidates::settle(Tried& t) {
  t = trial_.of_more(std::move(t));
  if (t.explained.empty()) return false;
  if (t.out()) return true;
  if (case_.size() > small_layer && a_rule_ && !explains_sample(t)) {
    if (trial_.breaks_soon(t)) t.broken = 1, t.counted = false;
    return true;
  }
  auto full = trial_.in_full(t);
  if (!full) return false;
  t = std::move(*full);
  if (!t.plausible() || t.explained.size() != case_.differing.size()) return true;
  const auto [at, is_new] = complete_.emplace(t.suspect.name, t.suspect.rank);
  if (!is_new) at->second = std::min(at->second, t.suspect.rank);
  a_rule_ = a_rule_ || t.suspect.rank < profile_rank;
  return true;
}

void Candidates::consider(const std::vector<Suspect>& suspects, const std::function<bool(const Suspect&)>& which) {
  std::vector<Tried> tried;
  for (const auto& s : suspects) {
    if (!which(s) || is_spare(s)) continue;
    if (auto t = trial_.of_few(s)) tried.push_back(std::move(*t));
  }
  std::vector<std::size_t> open;
  for (std::size_t k = 0; k < tried.size(); ++k)
    if (!tried[k].out()) open.push_back(k);
  std::stable_sort(open.begin(), open.end(), [&](std::size_t a, std::size_t b) {
    const bool all_a = explains_sample(tried[a]), all_b = explains_sample(tried[b]);
    return all_a != all_b ? all_a : tried[a].suspect.rank < tried[b].suspect.rank;
  });
  std::vector<bool> kept(tried.size(), true);
  for (const auto k : open) kept[k] = !is_spare(tried[k].suspect) && settle(tried[k]);
  for (std::size_t k = 0; k < tried.size(); ++k)
    if (kept[k]) (tried[k].plausible() ? clean_ : near_).push_back(std::move(tried[k]));
}

}  // namespace lastbit
