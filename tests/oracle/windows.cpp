// windows.cpp: pools, with a kernel or adaptive, in one to three axes.
#include <algorithm>
#include <optional>

#include "tests/oracle/oracle.hpp"

namespace lastbit::oracle {
namespace {

/// Every place of an odometer with these extents.
template <class F>
void each(const Shape& extents, F f) {
  std::int64_t n = 1;
  for (const auto e : extents) n *= e;
  for (std::int64_t i = 0; i < n; ++i) f(coordinates(extents, i));
}

Big pool(const Layer& l, std::int64_t i, std::size_t dims, bool maximum) {
  const Tensor& x = l.in("x");
  const Shape place = coordinates(l.out().shape, i);
  const std::size_t first = place.size() - dims;
  Shape kernel(dims), from(dims), step(dims), reach(dims);
  std::int64_t padded = 1;
  for (std::size_t a = 0; a < dims; ++a) {
    kernel[a] = entry(l, "kernel_size", a, 1);
    const auto list = l.attributes.has("padding") ? l.attributes.list("padding") : std::vector<std::int64_t>{0};
    const std::int64_t before = list.size() == 1 ? list[0] : list[a], after = list.size() == 2 * dims ? list[dims + a] : before;
    step[a] = entry(l, "dilation", a, 1);
    from[a] = place[first + a] * entry(l, "stride", a, kernel[a]) - before;
    padded *= std::min(from[a] + kernel[a], x.shape[first + a] + after) - from[a];  // of an average: what hangs over the padding does not count
  }
  std::optional<Big> most;
  Big sum = 0;
  std::int64_t n = 0;
  each(kernel, [&](const Shape& tap) {
    Shape source = place;
    for (std::size_t a = 0; a < dims; ++a) {
      source[first + a] = from[a] + tap[a] * step[a];
      if (source[first + a] < 0 || source[first + a] >= x.shape[first + a]) return;
    }
    const Big v = at(x, position(x.shape, source));
    if (!most || v > *most) most = v;
    sum += v;
    ++n;
  });
  if (maximum) return most.value();
  if (l.attributes.has("divisor_override")) return Big(sum / l.attributes.integer("divisor_override"));
  return Big(sum / (l.attributes.boolean("count_include_pad", true) ? padded : n));
}

Big adaptive(const Layer& l, std::int64_t i, std::size_t dims) {
  const Tensor& x = l.in("x");
  const Shape place = coordinates(l.out().shape, i);
  const std::size_t first = place.size() - dims;
  Shape begin(dims), extent(dims);
  for (std::size_t a = 0; a < dims; ++a) {
    const std::int64_t in = x.shape[first + a], out = l.out().shape[first + a], o = place[first + a];
    begin[a] = o * in / out;
    extent[a] = ((o + 1) * in + out - 1) / out - begin[a];
  }
  Big sum = 0;
  std::int64_t n = 0;
  each(extent, [&](const Shape& tap) {
    Shape source = place;
    for (std::size_t a = 0; a < dims; ++a) source[first + a] = begin[a] + tap[a];
    sum += at(x, position(x.shape, source));
    ++n;
  });
  return Big(sum / n);
}

}  // namespace

Definitions windows() {
  Definitions all;
  for (std::size_t dims = 1; dims <= 3; ++dims) {
    const std::string d = std::to_string(dims) + "d";
    all["max_pool" + d] = [dims](const Layer& l, const Result&, std::int64_t i) { return pool(l, i, dims, true); };
    all["avg_pool" + d] = [dims](const Layer& l, const Result&, std::int64_t i) { return pool(l, i, dims, false); };
    all["adaptive_avg_pool" + d] = [dims](const Layer& l, const Result&, std::int64_t i) { return adaptive(l, i, dims); };
  }
  return all;
}

}  // namespace lastbit::oracle
