// evidence.hpp: what an identical layer proves: which other profiles would have been identical too.
#pragma once
#include "reports/report.hpp"
#include "verifier/evaluate.hpp"
#include "verifier/rivals.hpp"
#include "verifier/streamed.hpp"

namespace lastbit {

/// Fills rules_out and cannot_rule_out of a layer that is identical. A dump of random tensors rules out little, and says so.
void evidence(const Dump&, const LayerEntry&, const Evaluated&, const Operator&, const Profile&, const Cell&, const std::vector<RivalCell>&, LayerReport&);

/// The same of a layer that was streamed: only rivals that need more than its sums (`open`) are computed here.
void evidence(const Dump&, const LayerEntry&, StoredLayer, const Operator&, const Profile&, const Cell&, const std::vector<RivalCell>&, const Streamed&, const std::vector<bool>& open, LayerReport&);

}  // namespace lastbit
