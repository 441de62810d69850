// evidence.hpp: what an identical layer proves: which other profiles would have been identical too.
#pragma once
#include "verifier/evaluate.hpp"
#include "reports/report.hpp"

namespace lastbit {

/// Fills rules_out and cannot_rule_out of a layer that is identical. A dump of random tensors rules out little, and says so.
void evidence(const Dump&, const LayerEntry&, const Evaluated&, const Operator&, const Profile&, const Cell&, LayerReport&);

}  // namespace lastbit
