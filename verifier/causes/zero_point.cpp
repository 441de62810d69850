// zero_point: the output's zero point is added at another step, or is another one.
#include <algorithm>
#include <map>

#include "lib/error.hpp"
#include "verifier/cause.hpp"
#include "verifier/stages.hpp"

namespace lastbit::causes {
namespace {

constexpr std::size_t elements_asked = 256;

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

/// What differing elements would be without any clamp, as far as that is known: by element.
Values unclamped(const Case& c, const std::vector<std::int64_t>& elements) {
  constexpr std::int64_t far = std::int64_t{1} << 60;
  if (c.accumulates())
    return c.changed({.edit = [](const Stages& before) { return edited(before, [](const std::string& s) { return s == "saturate16" || s == "range" ? std::string() : s; }); },
                      .context = [](RequantizeContext& context) { context.min = -far, context.max = far; }}, elements);
  Layer open = c.layer;
  open.outputs.at(c.port).q.qmin = -far, open.outputs.at(c.port).q.qmax = far;
  if (c.port == "y" && open.attributes.has("activation")) open.attributes.values["activation"] = std::string("none");
  try {
    if (Values v = c.rerun(open, c.cell, elements); !v.empty()) return v;
  } catch (const Error&) {  // the operator takes no such range
  }
  Values v;
  for (const auto i : elements) v.push_back(c.expected_value(i));
  return v;
}

void add_stale(const Case& c, std::vector<Suspect>& all) {
  if (is_float(c.observed.dtype) || !c.observed.q.quantized() || c.observed.q.zero_point.size() > 1 || c.observed.q.float_zero_point) return;
  const Range range = stored_range(c.observed);
  std::vector<std::int64_t> some;
  for (std::size_t k = 0; k < c.differing.size(); k += std::max<std::size_t>(1, c.differing.size() / elements_asked)) some.push_back(c.differing[k]);
  const Values open = unclamped(c, some);
  std::map<std::int64_t, std::int64_t> moved;
  for (std::size_t k = 0; k < some.size(); ++k) {
    const auto o = static_cast<std::int64_t>(c.observed_value(some[k]));
    if (o > range.min && o < range.max) ++moved[o - static_cast<std::int64_t>(open[k])];
  }
  std::vector<std::pair<std::int64_t, std::int64_t>> common(moved.begin(), moved.end());
  std::stable_sort(common.begin(), common.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  for (std::size_t k = 0; k < common.size() && k < 3; ++k) {
    const std::int64_t delta = common[k].first, stale = c.observed.q.integer_zero_point() + delta;
    if (delta == 0 || stale < info(c.observed.dtype).min || stale > info(c.observed.dtype).max) continue;
    Layer other = c.layer;
    other.outputs.at(c.port).q.zero_point = {static_cast<double>(stale)};
    const std::string from = whose(c, stale);
    const std::string sentence = "The output was written with zero point " + std::to_string(stale) + " instead of " + std::to_string(c.observed.q.integer_zero_point()) + ": moved by " + std::to_string(delta) +
                                 " before the clamp" + (from.empty() ? "; no earlier layer of this dump has that zero point." : "; layer " + from + " has that zero point.");
    if (!c.accumulates()) {
      all.push_back(rerun_suspect(c, "zero-point:stale", sentence, std::move(other), 20));
      // Where an operator's results have its input's zero point, or are beyond the range before they are moved: moved as they are.
      all.push_back({"zero-point:stale", sentence, 21, [&c, delta, range](const std::vector<std::int64_t>& elements) {
                       Values v;
                       const auto one = [&](std::int64_t i) { return std::clamp(c.expected_value(i) + static_cast<double>(delta), static_cast<double>(range.min), static_cast<double>(range.max)); };
                       if (elements.empty()) for (std::int64_t i = 0; i < c.size(); ++i) v.push_back(one(i));
                       for (const auto i : elements) v.push_back(one(i));
                       return v;
                     }});
    } else all.push_back(suspect(c, "zero-point:stale", sentence, {.context = [stale, other](RequantizeContext& context) {
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
  if (zero > round) all.push_back(staged_suspect(c, "zero-point:before-rounding", "The zero point is added before the rounding, so ties go to the even stored value.", zero_point_inside));
  else all.push_back(staged_suspect(c, "zero-point:after-rounding", "The zero point is added after the rounding, so ties go to even before it.", zero_point_outside));
  return all;
}

}  // namespace

Cause zero_point() {
  return {"zero-point", "the output's zero point added at another step, or another one", {"zero-point:before-rounding", "zero-point:after-rounding", "zero-point:stale"}, suspects};
}

}  // namespace lastbit::causes
