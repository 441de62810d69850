// zero_point: the output's zero point is added at another step, or is another one.
#include <algorithm>
#include <map>

#include "verifier/cause.hpp"
#include "verifier/stages.hpp"

namespace lastbit::causes {
namespace {

/// Layers of the dump whose output has this zero point, nearest before this one first.
std::string whose(const Case& c, std::int64_t zero_point) {
  std::string found;
  for (const auto& other : c.dump.layers()) {
    if (other.name == c.entry.name) break;
    const auto y = other.outputs.find("y");
    if (y == other.outputs.end()) continue;
    const auto& t = c.dump.tensors().at(y->second);
    if (t.scale && static_cast<std::int64_t>(t.zero_point.value_or(0)) == zero_point) found = other.name;
  }
  return found;
}

void add_stale(const Case& c, std::vector<Suspect>& all) {
  if (is_float(c.observed.dtype) || !c.observed.q.quantized() || c.observed.q.zero_point.size() > 1 || c.observed.q.float_zero_point) return;
  const Range range = stored_range(c.observed);
  std::map<std::int64_t, std::int64_t> moved;
  for (const auto i : c.differing) {
    const auto o = static_cast<std::int64_t>(c.observed_value(i));
    if (o > range.min && o < range.max) ++moved[o - static_cast<std::int64_t>(c.expected_value(i))];
  }
  std::vector<std::pair<std::int64_t, std::int64_t>> common(moved.begin(), moved.end());
  std::stable_sort(common.begin(), common.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  for (std::size_t k = 0; k < common.size() && k < 2; ++k) {
    const std::int64_t delta = common[k].first, stale = c.observed.q.integer_zero_point() + delta;
    if (stale < info(c.observed.dtype).min || stale > info(c.observed.dtype).max) continue;
    Layer other = c.layer;
    other.outputs.at(c.port).q.zero_point = {static_cast<double>(stale)};
    const std::string from = whose(c, stale);
    const std::string sentence = "The output was written with zero point " + std::to_string(stale) + " instead of " + std::to_string(c.observed.q.integer_zero_point()) + ": moved by " + std::to_string(delta) +
                                 " before the clamp" + (from.empty() ? "; no earlier layer of this dump has that zero point." : "; layer " + from + " has that zero point.");
    if (!c.accumulates()) all.push_back(rerun_suspect(c, "zero-point:stale", sentence, std::move(other), 20));
    else all.push_back(suspect(c, "zero-point:stale", sentence, {.context = [stale, other](RequantizeContext& context) {
                                 for (auto& names : context.channels) names["zo"] = static_cast<double>(stale);
                                 const Range r = activated_range(other, other.out("y"));
                                 context.min = r.min, context.max = r.max;
                               }}, 20));
  }
}

std::vector<Suspect> suspects(const Case& c) {
  std::vector<Suspect> all;
  add_stale(c, all);
  if (!staged(c)) return all;
  const int round = find_stage(c.cell.stages, "round"), zero = find_stage(c.cell.stages, "zero_point");
  if (round < 0 || zero < 0) return all;
  auto stages = c.cell.stages;
  stages.erase(stages.begin() + zero);
  if (zero > round) {
    stages.insert(stages.begin() + round, "zero_point");
    all.push_back(staged_suspect(c, "zero-point:before-rounding", "The zero point is added before the rounding, so ties go to the even stored value.", stages));
  } else {
    stages = edited(stages, [](const std::string& stage) { return stage == "clamp" ? std::string() : stage; });
    stages.insert(stages.begin() + find_stage(stages, "round") + 1, "zero_point");
    stages.push_back("clamp");
    all.push_back(staged_suspect(c, "zero-point:after-rounding", "The zero point is added after the rounding, so ties go to even before it.", stages));
  }
  return all;
}

}  // namespace

Cause zero_point() {
  return {"zero-point", "the output's zero point added at another step, or another one", {"zero-point:before-rounding", "zero-point:after-rounding", "zero-point:stale"}, suspects};
}

}  // namespace lastbit::causes
