// zero_point: the output's zero point is added at another step, or is another one.
#include <algorithm>
#include <map>

#include "lib/error.hpp"
#include "lib/num/round.hpp"
#include "verifier/cause.hpp"
#include "verifier/real_forms.hpp"
#include "verifier/stages.hpp"
#include "verifier/two_causes.hpp"

namespace lastbit::causes {
namespace {

constexpr std::size_t elements_asked = 256, pair_elements = 24, first_of_pair = 8;
constexpr std::int64_t elements_compared = 2048;

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

/// What elements (all when empty) would be without any clamp, as far as that is known.
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
  if (elements.empty()) for (std::int64_t i = 0; i < c.size(); ++i) v.push_back(c.expected_value(i));
  for (const auto i : elements) v.push_back(c.expected_value(i));
  return v;
}

/// Roundings of the real values that give what the profile gives, as far as some elements tell.
std::vector<RealRounding> roundings_like_own(const Case& c) {
  std::vector<RealRounding> all;
  if (c.accumulates() || !has_real_forms(c)) return all;
  std::vector<std::int64_t> some;
  if (c.together() > 1) some = c.sample(elements_compared / 2).elements;
  else for (std::int64_t i = 0; i < c.size(); i += std::max<std::int64_t>(1, c.size() / elements_compared)) some.push_back(i);
  for (const auto& form : real_forms)
    for (const auto mode : {Rounding::half_even, Rounding::half_away})
      for (const bool inside : {false, true}) {
        const RealRounding how{&form, mode, inside};
        const Values v = rounded_real_values(c, c.layer, c.layer, how, some);
        bool same = !v.empty();
        for (std::size_t k = 0; same && k < v.size(); ++k) same = same_value(v[k], c.expected_value(some[k]));
        if (same) all.push_back(how);
      }
  return all;
}

/// The output's zero point off by delta: an activation's bounds move with it, or were fixed before.
std::vector<Suspect> stale_suspects(const Case& c, std::int64_t delta, const std::vector<RealRounding>& own_roundings = {}) {
  const Range range = stored_range(c.observed);
  const std::int64_t own = c.observed.q.integer_zero_point(), stale = own + delta;
  Layer other = c.layer;
  other.outputs.at(c.port).q.zero_point = {static_cast<double>(stale)};
  const std::string from = whose(c, stale);
  const std::string sentence = "The output was written with zero point " + std::to_string(stale) + " instead of " + std::to_string(own) + ": moved by " + std::to_string(delta) + " before the clamp" +
                               (from.empty() ? "; no earlier layer of this dump has that zero point." : "; layer " + from + " has that zero point.");
  std::vector<Suspect> all;
  if (c.accumulates()) {
    const Range moved = activated_range(other, other.out("y"));
    for (const bool bounds_move : {true, false})
      all.push_back(suspect(c, "zero-point:stale", sentence, {.context = [stale, moved, bounds_move](RequantizeContext& context) {
                              for (auto& names : context.channels) names["zo"] = static_cast<double>(stale);
                              if (bounds_move) context.min = moved.min, context.max = moved.max;
                            }}, 20));
  } else {
    all.push_back(rerun_suspect(c, "zero-point:stale", sentence, other, 20));
  }
  // Moved as an integer: where the zero point is inside the rounding, a tie then goes the way it would have gone.
  const Range bounds = c.port == "y" ? activated_range(other, other.out("y")) : range;
  all.push_back({"zero-point:stale", sentence, 21, [&c, delta, bounds](const std::vector<std::int64_t>& elements) {
                   Values v = unclamped(c, elements);
                   for (auto& q : v) q = std::clamp(q + static_cast<double>(delta), static_cast<double>(bounds.min), static_cast<double>(bounds.max));
                   return v;
                 }, !c.accumulates(), {}});
  if (c.accumulates()) return all;
  // Or the real value rounded once, by this zero point: a tie may go another way than in the runtime's own arithmetic.
  for (const auto& how : own_roundings)
    all.push_back({"zero-point:stale", sentence, 22, [&c, how, other](const std::vector<std::int64_t>& elements) { return rounded_real_values(c, other, c.layer, how, elements); }, true, {}});
  // Where an operator's results have its input's zero point, or are beyond the range before they are moved: moved as they are.
  all.push_back({"zero-point:stale", sentence, 21, [&c, delta, range](const std::vector<std::int64_t>& elements) {
                   Values v;
                   const auto one = [&](std::int64_t i) { return std::clamp(c.expected_value(i) + static_cast<double>(delta), static_cast<double>(range.min), static_cast<double>(range.max)); };
                   if (elements.empty()) for (std::int64_t i = 0; i < c.size(); ++i) v.push_back(one(i));
                   for (const auto i : elements) v.push_back(one(i));
                   return v;
                 }, false, {}});
  return all;
}

/// A dynamic convolution stores its results by its input's scale and zero point and dequantizes them by the same: another zero
/// point in the first step alone.
void add_stale_before_dequantization(const Case& c, std::vector<Suspect>& all) {
  const auto& q = c.base().out().q;
  const double own = q.zero_point_of(0), scale = q.scale_of(0);
  const Values open = c.changed({.edit = [](const Stages& before) { return edited(before, [](const std::string& s) { return s == "saturate16" ? std::string() : s; }); },
                                 .context = [](RequantizeContext& context) { context.min = -(std::int64_t{1} << 40), context.max = std::int64_t{1} << 40; }}, c.differing);
  std::map<std::int64_t, std::int64_t> moved;
  for (std::size_t k = 0; k < open.size(); ++k)
    if (const double o = c.observed_value(c.differing[k]); std::abs(o - open[k]) < 1e6 * scale) ++moved[rne((o - open[k]) / scale)];
  std::vector<std::pair<std::int64_t, std::int64_t>> common(moved.begin(), moved.end());
  std::stable_sort(common.begin(), common.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  for (std::size_t k = 0; k < std::min<std::size_t>(common.size(), 3); ++k) {
    const double stale = own + static_cast<double>(common[k].first);
    if (stale == own) continue;
    all.push_back(suspect(c, "zero-point:stale", "Results were stored with zero point " + std::to_string(static_cast<std::int64_t>(stale)) + " and dequantized with " + std::to_string(static_cast<std::int64_t>(own)) + ".",
                          {.context = [stale](RequantizeContext& context) { for (auto& names : context.channels) names["zo"] = stale; }}, 20));
  }
}

void add_stale(const Case& c, std::vector<Suspect>& all) {
  if (c.port == "y" && c.accumulates() && is_float(c.observed.dtype) && !is_float(c.base().out().dtype)) return add_stale_before_dequantization(c, all);
  if (is_float(c.observed.dtype) || !c.observed.q.quantized() || c.observed.q.zero_point.size() > 1 || c.observed.q.float_zero_point) return;
  const Range range = stored_range(c.observed);
  std::vector<std::int64_t> some;
  if (c.together() > 1) {
    const Sample& s = c.sample(elements_asked);
    some.assign(s.elements.begin(), s.elements.begin() + static_cast<std::ptrdiff_t>(s.differing));
  } else {
    for (std::size_t k = 0; k < c.differing.size(); k += std::max<std::size_t>(1, c.differing.size() / elements_asked)) some.push_back(c.differing[k]);
  }
  const Values open = unclamped(c, some);
  std::map<std::int64_t, std::int64_t> moved;
  for (std::size_t k = 0; k < some.size(); ++k) {
    const auto o = static_cast<std::int64_t>(c.observed_value(some[k]));
    if (o > range.min && o < range.max) ++moved[o - static_cast<std::int64_t>(open[k])];
  }
  // Where an activation clamps nearly everything, what its bound moved by is all there is.
  std::map<std::int64_t, std::int64_t> bound;
  for (const auto i : some) ++bound[static_cast<std::int64_t>(c.observed_value(i) - c.expected_value(i))];
  std::vector<std::int64_t> deltas;
  for (const auto& [counts, kept] : {std::pair(&moved, std::size_t{3}), std::pair(&bound, std::size_t{1})}) {
    std::vector<std::pair<std::int64_t, std::int64_t>> common(counts->begin(), counts->end());
    std::stable_sort(common.begin(), common.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
    for (std::size_t k = 0; k < common.size() && k < kept; ++k)
      if (std::find(deltas.begin(), deltas.end(), common[k].first) == deltas.end()) deltas.push_back(common[k].first);
  }
  // Ties that are rounded to even with the zero point in them go to both sides of an odd step.
  for (std::size_t k = 0, n = deltas.size(); k < n; ++k)
    if (std::find(deltas.begin(), deltas.end(), deltas[k] + 2) != deltas.end()) deltas.push_back(deltas[k] + 1);
  const auto own_roundings = deltas.empty() ? std::vector<RealRounding>{} : roundings_like_own(c);
  for (const std::int64_t delta : deltas) {
    const std::int64_t stale = c.observed.q.integer_zero_point() + delta;
    if (delta == 0 || stale < info(c.observed.dtype).min || stale > info(c.observed.dtype).max) continue;
    for (auto& suspect_of : stale_suspects(c, delta, own_roundings)) all.push_back(std::move(suspect_of));
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

std::optional<Suspect> stale_zero_point(const Case& c, const Change& with) {
  if (!c.accumulates() || c.port != "y" || is_float(c.observed.dtype) || !c.observed.q.quantized()) return std::nullopt;
  std::vector<std::int64_t> some;
  for (std::size_t k = 0; k < c.differing.size(); k += std::max<std::size_t>(1, c.differing.size() / pair_elements)) some.push_back(c.differing[k]);
  const auto far = combined(with, {.context = [](RequantizeContext& context) { context.min = -(std::int64_t{1} << 60), context.max = std::int64_t{1} << 60; }});
  if (!far) return std::nullopt;
  const Range range = stored_range(c.observed);
  std::map<std::int64_t, std::size_t> moved;
  const auto count = [&](std::size_t from, std::size_t to) {
    const Values open = c.changed(*far, {some.begin() + static_cast<std::ptrdiff_t>(from), some.begin() + static_cast<std::ptrdiff_t>(to)});
    for (std::size_t k = 0; k < open.size(); ++k)
      if (const double o = c.observed_value(some[from + k]); o > static_cast<double>(range.min) && o < static_cast<double>(range.max)) ++moved[static_cast<std::int64_t>(o - open[k])];
  };
  // Other operands cost all products of an element. A zero point moves nearly all by the same: no two of several alike, and it is none.
  const std::size_t first = with.input ? std::min(first_of_pair, some.size()) : some.size();
  count(0, first);
  if (first < some.size()) {
    if (moved.size() >= first_of_pair / 2 && std::all_of(moved.begin(), moved.end(), [](const auto& m) { return m.second == 1; })) return std::nullopt;
    count(first, some.size());
  }
  const auto most = std::max_element(moved.begin(), moved.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  if (most == moved.end() || most->first == 0 || most->second * 2 < some.size() / 2 || most->second < 2) return std::nullopt;
  const std::int64_t stale = c.observed.q.integer_zero_point() + most->first;
  if (stale < info(c.observed.dtype).min || stale > info(c.observed.dtype).max) return std::nullopt;
  return stale_suspects(c, most->first).front();
}

Cause zero_point() {
  return {"zero-point", "the output's zero point added at another step, or another one", {"zero-point:before-rounding", "zero-point:after-rounding", "zero-point:stale"}, suspects};
}

}  // namespace lastbit::causes
