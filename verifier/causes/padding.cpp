// padding: a tap outside the input holds a raw zero, or an earlier input's zero point, instead of the zero point.
#include <algorithm>

#include "verifier/cause.hpp"

namespace lastbit::causes {
namespace {

/// The sum with every tap outside the input at raw value `pad`.
std::int64_t padded(const Case& c, std::int64_t element, std::int64_t pad) {
  const auto& in = c.input();
  std::int64_t extra = 0;
  for_each_product(c.geometry(), {in.x, in.w, in.x_zero_point, in.w_zero_point}, element,
                   [&](auto, auto, std::int64_t, std::int64_t w, bool outside) { if (outside) extra += (pad - in.x_zero_point) * w; });
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
  // Which raw value would do: tried on a few differing elements.
  const auto& range = info(c.input().x_dtype);
  if (range.bits > 8) return all;
  std::vector<std::int64_t> few(c.differing.begin(), c.differing.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(c.differing.size(), 6)));
  for (std::int64_t pad = range.min; pad <= range.max; ++pad) {
    if (pad == zi || pad == 0) continue;
    const Change change{.sum = [&c, pad](std::int64_t e) { return padded(c, e, pad); }};
    const Values v = c.changed(change, few);
    bool fits = true;
    for (std::size_t k = 0; k < few.size(); ++k) fits = fits && same_value(v[k], c.observed_value(few[k]));
    if (fits) all.push_back(suspect(c, "padding:stale", "Padding holds " + std::to_string(pad) + ", another tensor's zero point, instead of " + std::to_string(zi) + ".", change, 20));
  }
  return all;
}

}  // namespace

Cause padding() { return {"padding", "another value in the padding", {"padding:zero", "padding:stale"}, suspects}; }

}  // namespace lastbit::causes
