// padding: a tap outside the input holds a raw zero, or an earlier input's zero point, instead of the zero point; an operator pad fills
// with another code.
#include <algorithm>

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

std::vector<Suspect> suspects(const Case& c) {
  std::vector<Suspect> all;
  if (c.layer.op == "pad") return of_pad(c);
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
