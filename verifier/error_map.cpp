// error_map.cpp: element i of shape [outer..., channels, inner...] has channel i / inner % channels, and position
// (i / inner / channels) * inner + i % inner.
#include "verifier/error_map.hpp"

#include <algorithm>

namespace lastbit {

ErrorMap error_map(const Tensor& t, bool spatial, const std::vector<std::int64_t>& differing) {
  constexpr std::int64_t most = 64;
  const std::int64_t axis = spatial && t.rank() > 1 ? 1 : t.rank() - 1;
  ErrorMap map;
  map.channels = t.rank() ? t.dim(axis) : 1;
  if (map.channels == 0 || t.size() == 0) return {};
  map.positions = t.size() / map.channels;
  map.rows = std::min(map.channels, most);
  map.columns = std::min(map.positions, most);
  map.values.assign(static_cast<std::size_t>(map.rows * map.columns), 0);
  std::int64_t inner = 1;
  for (std::int64_t a = axis + 1; a < t.rank(); ++a) inner *= t.dim(a);
  for (const std::int64_t i : differing) {
    const std::int64_t channel = i / inner % map.channels, position = i / inner / map.channels * inner + i % inner;
    const std::int64_t row = channel * map.rows / map.channels, column = position * map.columns / map.positions;
    ++map.values[static_cast<std::size_t>(row * map.columns + column)];
  }
  return map;
}

}  // namespace lastbit
