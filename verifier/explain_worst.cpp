// explain_worst.cpp: each explanation recomputes its layer once, so there are few, and only formats that show them ask for them.
#include "verifier/explain_worst.hpp"

#include "lib/error.hpp"
#include "reports/merge.hpp"
#include "verifier/explain.hpp"

namespace lastbit {

void explain_worst(Report& report, const std::string& profile) {
  int left = layers_explained;
  for (LayerReport& layer : report.layers) {
    if (left == 0) return;
    if (layer.mismatches == 0 || layer.worst.empty()) continue;
    --left;
    WorstElement& worst = layer.worst.front();
    ExplainOptions options;
    options.dump = layer.dump;
    options.layer = layer.name;
    options.profile = profile;
    options.output = worst.output;
    options.at = worst.index;
    options.products = 6;
    try {
      worst.explain = to_text(explain(options));
    } catch (const Error&) {
      // An element of an output that `explain` does not follow: the report stands without.
    }
  }
}

}  // namespace lastbit
