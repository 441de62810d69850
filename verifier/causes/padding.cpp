// padding: a tap outside the input holds a raw zero, or an earlier input's zero point, instead of the zero point (or takes part in a
// largest value); an operator pad fills with another code.
#include <algorithm>
#include <map>
#include <optional>

#include "lib/num/round.hpp"
#include "verifier/cause.hpp"

namespace lastbit::causes {
namespace {

constexpr std::size_t few_elements = 24, pads_kept = 16;

/// The sum with every tap outside the input at raw value `pad`.
std::int64_t padded(const Case& c, std::int64_t element, std::int64_t pad) {
  const std::int64_t xz = c.numbers().x_zero_point;
  std::int64_t extra = 0;
  c.products(element, [&](auto, auto, std::int64_t, std::int64_t w, bool outside) { if (outside) extra += (pad - xz) * w; });
  return c.accumulators()[static_cast<std::size_t>(element)] + extra;
}

/// Operator pad: the elements that it fills, told by two runs with other fillings.
std::vector<Suspect> of_pad(const Case& c) {
  std::vector<Suspect> all;
  const Tensor& x = c.layer.in("x");
  if (is_float(x.dtype) || !x.q.quantized() || c.layer.attributes.text("mode", "constant") != "constant") return all;
  const auto filled = [&](std::int64_t code) {
    Layer other = c.layer;
    other.attributes.values["value"] = (static_cast<double>(code) - x.q.zero_point_of(0)) * x.q.scale_of(0);
    return c.rerun(other, c.cell, {});
  };
  const auto& range = info(x.dtype);
  const Values low = filled(range.min), high = filled(range.max);
  if (low.empty() || high.empty()) return all;
  const auto is_filling = [&](std::int64_t i) { return low[static_cast<std::size_t>(i)] != high[static_cast<std::size_t>(i)]; };
  const auto first = std::find_if(c.differing.begin(), c.differing.end(), is_filling);
  if (first == c.differing.end()) return all;
  const auto with = [&](const char* name, std::string sentence, double filling, int rank) {
    auto values = std::make_shared<Values>();
    for (std::int64_t i = 0; i < c.size(); ++i) values->push_back(is_filling(i) ? filling : c.expected_value(i));
    all.push_back({name, std::move(sentence), rank, [values](const std::vector<std::int64_t>& elements) {
                     if (elements.empty()) return *values;
                     Values v;
                     for (const auto i : elements) v.push_back((*values)[static_cast<std::size_t>(i)]);
                     return v;
                   }});
  };
  const double filling = c.observed_value(*first), own = c.expected_value(*first);
  if (own != 0) with("padding:zero", "The filling is the raw value 0 instead of " + std::to_string(static_cast<std::int64_t>(own)) + ".", 0, 10);
  with("padding:stale", "The filling is " + std::to_string(static_cast<std::int64_t>(filling)) + ", another tensor's zero point or value, instead of " + std::to_string(static_cast<std::int64_t>(own)) + ".", filling, 19);
  return all;
}

/// A pool's window along each spatial axis; no begins where its attributes are of another form.
struct PoolWindow {
  std::vector<std::int64_t> reach, stride, begins;
  explicit PoolWindow(const Layer& layer) {
    const auto& a = layer.attributes;
    const auto d = static_cast<std::size_t>(layer.in("x").rank() - 2);
    reach = a.integers("kernel_size", d);
    stride = a.has("stride") && !a.list("stride").empty() ? a.integers("stride", d) : reach;
    const auto dilation = a.has("dilation") ? a.integers("dilation", d) : std::vector<std::int64_t>(d, 1);
    for (std::size_t i = 0; i < d; ++i) reach[i] = (reach[i] - 1) * dilation[i] + 1;
    begins = a.list("padding");
    if (begins.size() == 1) begins.assign(d, begins[0]);
    if (begins.size() != d && begins.size() != 2 * d) begins.clear();
  }
  bool touches_padding(const Layer& layer, std::int64_t element) const {
    const Tensor &x = layer.in("x"), &y = layer.out();
    for (std::size_t i = reach.size(); i-- > 0;) {
      const auto axis = static_cast<std::int64_t>(i) + 2;
      const std::int64_t first = element % y.dim(axis) * stride[i] - begins[i];
      if (first < 0 || first + reach[i] > x.dim(axis)) return true;
      element /= y.dim(axis);
    }
    return false;
  }
};

/// A pool whose padding takes part with this code: the input padded beforehand. None where it has no padding that could.
std::optional<Layer> padded_pool(const Case& c, const PoolWindow& window, std::int64_t code) {
  const Tensor& x = c.layer.in("x");
  Shape shape = x.shape;
  for (std::size_t i = 0; i < window.reach.size(); ++i) {  // as far as the last window reaches
    const auto at = static_cast<std::int64_t>(i) + 2;
    shape[i + 2] = std::max((c.observed.dim(at) - 1) * window.stride[i] + window.reach[i], x.dim(at) + window.begins[i]);
  }
  if (shape == x.shape) return std::nullopt;
  std::vector<std::int32_t> codes(static_cast<std::size_t>(count(shape)), static_cast<std::int32_t>(code));
  const Shape from = strides_of(x.shape), to = strides_of(shape);
  for (std::int64_t i = 0; i < x.size(); ++i) {
    std::int64_t place = 0, rest = i;
    for (std::size_t axis = 0; axis < from.size(); ++axis) {
      const std::int64_t index = rest / from[axis] + (axis >= 2 ? window.begins[axis - 2] : 0);
      rest %= from[axis];
      place += index * to[axis];
    }
    codes[static_cast<std::size_t>(place)] = static_cast<std::int32_t>(x.integer(i));
  }
  Layer other = c.layer;
  Tensor t = Tensor::of_integers(x.name, x.dtype, shape, x.q, codes);
  t.memory_layout = x.memory_layout, t.stored_axes = x.stored_axes;
  other.inputs.at("x") = std::move(t);
  other.attributes.values.erase("padding"), other.attributes.values.erase("ceil_mode");
  return other;
}

/// Pools: a largest value leaves its padding out, an average takes it for the real number 0.
std::vector<Suspect> of_pool(const Case& c) {
  std::vector<Suspect> all;
  const Tensor& x = c.layer.in("x");
  const bool largest = c.layer.op.rfind("max_pool", 0) == 0;
  if (!c.layer.attributes.has("padding") || is_float(x.dtype) || x.rank() < 3) return all;
  const PoolWindow window(c.layer);
  if (window.begins.empty() || !std::all_of(c.differing.begin(), c.differing.end(), [&](std::int64_t i) { return window.touches_padding(c.layer, i); })) return all;
  const std::int64_t zi = x.q.integer_zero_point();
  const auto& range = info(x.dtype);
  const auto add = [&](const char* name, std::int64_t code, const std::string& words, int rank) {
    if (code < range.min || code > range.max || (!largest && code == zi)) return;
    if (auto layer = padded_pool(c, window, code)) all.push_back(rerun_suspect(c, name, "The padding took part as the code " + std::to_string(code) + words, std::move(*layer), rank));
  };
  add("padding:zero", 0, ", a raw zero.", 10);
  if (largest) {
    if (zi != 0) add("padding:zero", zi, ", the zero point: a real zero.", 11);
    std::map<std::int64_t, std::int64_t> counts;  // what a padding code that is the largest would be
    for (const auto i : c.differing) ++counts[static_cast<std::int64_t>(c.observed_value(i))];
    std::vector<std::pair<std::int64_t, std::int64_t>> common(counts.begin(), counts.end());
    std::stable_sort(common.begin(), common.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
    for (std::size_t k = 0; k < std::min<std::size_t>(common.size(), 3); ++k) add("padding:stale", common[k].first, ", another tensor's zero point or value.", 20);
    return all;
  }
  // An output's share of the padding is a straight line between two codes, where neither is clamped: far from the zero point, or near it.
  const Range stored = stored_range(c.observed);
  const auto clamped = [&](double v) { return v <= static_cast<double>(stored.min) || v >= static_cast<double>(stored.max); };
  for (const std::int64_t away : {std::int64_t{info(x.dtype).max}, std::int64_t{16}}) {
    const std::int64_t least = std::max<std::int64_t>(range.min, zi - away), greatest = std::min<std::int64_t>(range.max, zi + away);
    const auto low = padded_pool(c, window, least), high = padded_pool(c, window, greatest);
    if (!low || !high) return all;
    const Values at_low = c.rerun(*low, c.cell, {}), at_high = c.rerun(*high, c.cell, {});
    if (at_low.empty() || at_high.empty()) return all;
    std::int64_t best = -1;
    double most = 0;
    for (const auto i : c.differing) {
      const auto k = static_cast<std::size_t>(i);
      if (clamped(at_low[k]) || clamped(at_high[k]) || clamped(c.observed_value(i))) continue;
      if (at_high[k] - at_low[k] > most) most = at_high[k] - at_low[k], best = i;
    }
    if (best < 0) continue;
    const double step = static_cast<double>(greatest - least) / most;
    const double middle = static_cast<double>(least) + (c.observed_value(best) - at_low[static_cast<std::size_t>(best)]) * step;
    for (std::int64_t code = rne(middle - step - 1), n = 0; code <= rne(middle + step + 1) && n < static_cast<std::int64_t>(pads_kept); ++code, ++n) add("padding:stale", code, ", another tensor's zero point or value.", 20);
    break;
  }
  return all;
}

std::vector<Suspect> suspects(const Case& c) {
  std::vector<Suspect> all;
  if (c.layer.op == "pad") return of_pad(c);
  if (c.layer.op.rfind("max_pool", 0) == 0 || c.layer.op.rfind("avg_pool", 0) == 0) return of_pool(c);
  if (!c.accumulates() || c.geometry().transposed || !c.has_padding()) return all;
  const std::int64_t zi = c.numbers().x_zero_point;
  if (zi != 0) all.push_back(suspect(c, "padding:zero", "Padding holds the raw value 0 instead of the input's zero point " + std::to_string(zi) + ".", {.sum = [&c](std::int64_t e) { return padded(c, e, 0); }}));
  // Which raw value would do: tried on a few differing elements, whose sums and weights of outside taps are formed once.
  const auto& range = info(c.numbers().x_dtype);
  struct Element {
    std::int64_t index, sum, outside;
  };
  std::vector<Element> few;
  const std::size_t step = std::max<std::size_t>(1, c.differing.size() / few_elements);  // all over the output: corners alone may all be clamped
  for (std::size_t k = 0; k < c.differing.size(); k += step) {
    const std::int64_t i = c.differing[k];
    Element e{i, c.accumulators()[static_cast<std::size_t>(i)], 0};
    c.products(i, [&](auto, auto, std::int64_t, std::int64_t w, bool outside) { if (outside) e.outside += w; });
    if (e.outside == 0) return all;  // an element that no padding reaches differs
    few.push_back(e);
    if (few.size() == few_elements) break;
  }
  std::vector<std::int64_t> channels, places;
  for (const Element& e : few) channels.push_back(c.channel_of(e.index));
  const Finisher finisher = c.finisher_of({}, channels, places);
  std::size_t found = 0;
  for (std::int64_t pad = range.min; pad <= range.max && found < pads_kept; ++pad) {
    if (pad == zi || pad == 0) continue;
    bool fits = true;
    for (std::size_t k = 0; fits && k < few.size(); ++k)
      fits = same_value(c.finished(finisher, few[k].sum + (pad - zi) * few[k].outside, places[k], few[k].index), c.observed_value(few[k].index));
    if (!fits) continue;
    ++found;
    all.push_back(suspect(c, "padding:stale", "Padding holds " + std::to_string(pad) + ", another tensor's zero point, instead of " + std::to_string(zi) + ".", {.sum = [&c, pad](std::int64_t e) { return padded(c, e, pad); }}, 20));
  }
  return all;
}

}  // namespace

Cause padding() { return {"padding", "another value in the padding", {"padding:zero", "padding:stale"}, suspects}; }

}  // namespace lastbit::causes
