// read_elements.cpp: see read_elements.hpp.
#include "verifier/read_elements.hpp"

#include <algorithm>

#include "lib/rules/shapes.hpp"
#include "lib/rules/window.hpp"

namespace lastbit {
namespace {

ReadElements of_window(const Windows& w, std::int64_t element) {
  ReadElements r;
  const std::int64_t position = element % w.positions(), plane = element / w.positions() * w.in_positions();
  for_each_tap(w, position, [&](std::int64_t i) { r.of_x.push_back(plane + i); });
  r.padded = window_padded(w, position);
  return r;
}

}  // namespace

std::optional<ReadElements> read_elements(const Layer& layer, std::int64_t element) {
  const std::string& op = layer.op;
  if (op == "mean" || op == "sum" || op == "std") {
    const Groups groups = reduction_groups(layer);
    const auto from = groups.index.begin() + element * groups.size;
    return ReadElements{{from, from + groups.size}, groups.size};
  }
  for (const int dims : {1, 2, 3}) {
    const std::string axes = std::to_string(dims) + "d";
    if (op == "adaptive_avg_pool" + axes || op == "adaptive_max_pool" + axes) return of_window(adaptive_windows(layer, dims), element);
    if (op == "avg_pool" + axes || op == "max_pool" + axes) return of_window(pool_windows(layer, dims), element);
  }
  return std::nullopt;
}

}  // namespace lastbit
