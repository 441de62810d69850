// merge.hpp: one report of several, for shards.
#pragma once
#include <string>
#include <vector>

#include "reports/report.hpp"

namespace lastbit {

/// A part and where it was read.
struct Part {
  Report report;
  std::string place;
};

/// All layers of all parts, by dump and then by their position in it: the order and the grouping of the parts do not show.
/// A layer that stands in two parts must be the same in both. Throws Error where parts contradict each other.
Report merged(const std::vector<Part>&);

}  // namespace lastbit
