// merge.hpp: one report of several, for shards.
#pragma once
#include <string>
#include <vector>

#include "reports/report.hpp"

namespace lastbit {

/// Of so many layers, the first with mismatches of their own, a report explains the worst element: each costs its layer once more.
inline constexpr int layers_explained = 3;

/// A part and where it was read.
struct Part {
  Report report;
  std::string place;
};

/// All layers of all parts, by dump and then by their position in it: the order and the grouping of the parts do not show.
/// The same result of a layer in two parts is one, whatever the clock said; other results of it (another dump of that name) stay
/// beside each other. Findings of the gate are united. Throws Error where parts were made by other versions or other commands
/// (with and without --chained, gate and verify).
Report merged(const std::vector<Part>&);

}  // namespace lastbit
