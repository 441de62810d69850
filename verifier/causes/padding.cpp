// padding: a tap outside the input holds a raw zero, or an earlier input's zero point, instead of the zero point.
#include <algorithm>

#include "verifier/cause.hpp"

namespace lastbit::causes {
namespace {

constexpr std::size_t few_elements = 24, pads_kept = 16;

/// The sum with every tap outside the input at raw value `pad`.
std::int64_t padded(const Case& c, std::int64_t element, std::int64_t pad) {
  const auto& in = c.input();
  std::int64_t extra = 0;
  c.products(element, [&](auto, auto, std::int64_t, std::int64_t w, bool outside) { if (outside) extra += (pad - in.x_zero_point) * w; });
  return c.accumulators()[static_cast<std::size_t>(element)] + extra;
}

bool has_padding(const Geometry& g) {
  for (const auto s : sources(g))
    if (s < 0) return true;
  return false;
}

std::vector<Suspect> suspects(const Case& c) {
  std::vector<Suspect> all;
  if (!c.accumulates() || c.geometry().transposed || !has_padding(c.geometry())) return all;
  const std::int64_t zi = c.input().x_zero_point;
  if (zi != 0) all.push_back(suspect(c, "padding:zero", "Padding holds the raw value 0 instead of the input's zero point " + std::to_string(zi) + ".", {.sum = [&c](std::int64_t e) { return padded(c, e, 0); }}));
  // Which raw value would do: tried on a few differing elements, whose sums and weights of outside taps are formed once.
  const auto& range = info(c.input().x_dtype);
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
  const Requantizer requantize(c.stages_of({}), c.context_of({}), c.layer.place);
  std::size_t found = 0;
  for (std::int64_t pad = range.min; pad <= range.max && found < pads_kept; ++pad) {
    if (pad == zi || pad == 0) continue;
    const bool fits = std::all_of(few.begin(), few.end(), [&](const Element& e) { return same_value(c.finished(requantize, e.sum + (pad - zi) * e.outside, c.channel_of(e.index)), c.observed_value(e.index)); });
    if (!fits) continue;
    ++found;
    all.push_back(suspect(c, "padding:stale", "Padding holds " + std::to_string(pad) + ", another tensor's zero point, instead of " + std::to_string(zi) + ".", {.sum = [&c, pad](std::int64_t e) { return padded(c, e, pad); }}, 20));
  }
  return all;
}

}  // namespace

Cause padding() { return {"padding", "another value in the padding", {"padding:zero", "padding:stale"}, suspects}; }

}  // namespace lastbit::causes
