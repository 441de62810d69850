// gate.hpp: a policy and a baseline over a report.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "reports/report.hpp"
#include "verifier/baseline.hpp"
#include "verifier/policy.hpp"

namespace lastbit {

/// What the gate judges: layers and, beside each, its facts.
struct GateInput {
  Report report;
  std::vector<LayerFacts> facts;       // one a layer of the report
  std::string layer_glob;              // what --layer said; empty: everything
};

/// Findings in the order of the layers, then about the whole. Null baseline: there is none.
GateOutcome judge(const GateInput&, const Policy&, const Baseline*);

/// Whether this runs in CI: the variable CI is set, not empty and not "false".
bool in_ci();

/// GitHub's workflow commands, one a finding, so that they show beside the change.
std::string github_annotations(const GateOutcome&);

}  // namespace lastbit
