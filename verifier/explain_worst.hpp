// explain_worst.hpp: the worst element of the first layers that differ, explained within the report.
#pragma once
#include <string>

#include "reports/report.hpp"

namespace lastbit {

/// Fills `explain` of the worst element of the first layers_explained layers with mismatches of their own. `profile`: what --profile said.
void explain_worst(Report&, const std::string& profile);

}  // namespace lastbit
