// pointwise.cpp: see pointwise.hpp.
#include "lib/rules/pointwise.hpp"

#include <algorithm>

#include "lib/error.hpp"

namespace lastbit {

Shape broadcast_shape(const Layer& layer, const Shape& a, const Shape& b) {
  Shape s(std::max(a.size(), b.size()));
  for (std::size_t i = 0; i < s.size(); ++i) {
    const std::int64_t x = i < a.size() ? a[a.size() - 1 - i] : 1, y = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (x != y && x != 1 && y != 1) throw Error(layer.place, "found the shapes " + to_string(a) + " and " + to_string(b) + ", expected shapes that broadcast");
    s[s.size() - 1 - i] = x == 1 ? y : x;
  }
  return s;
}

std::vector<std::int64_t> broadcast_index(const Shape& from, const Shape& to) {
  const Shape own = strides_of(from);
  Shape step(to.size(), 0);
  for (std::size_t i = 0; i < from.size(); ++i) step[to.size() - from.size() + i] = from[i] == 1 ? 0 : own[i];
  std::vector<std::int64_t> index(static_cast<std::size_t>(count(to)));
  Shape at(to.size(), 0);
  std::int64_t source = 0;
  for (auto& i : index) {
    i = source;
    for (std::size_t a = to.size(); a-- > 0;) {
      source += step[a];
      if (++at[a] < to[a]) break;
      source -= step[a] * to[a];
      at[a] = 0;
    }
  }
  return index;
}

Computed quantized_output(Shape shape) {
  Computed c;
  const auto n = static_cast<std::size_t>(count(shape));
  c.shape = std::move(shape);
  c.q.resize(n);
  c.events.resize(n);
  return c;
}

Computed float_output(Shape shape) {
  Computed c;
  const auto n = static_cast<std::size_t>(count(shape));
  c.shape = std::move(shape);
  c.f.resize(n);
  c.events.resize(n);
  return c;
}

}  // namespace lastbit
