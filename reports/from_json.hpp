// from_json.hpp: a JSON report read back, for `lastbit report`, `lastbit merge` and the gate.
#pragma once
#include <string>

#include "reports/report.hpp"

namespace lastbit {

/// Throws Error("place: layers[3].mismatches: found ..., expected ..."). Fields that it does not know are ignored; the verdict
/// is computed again from the layers, never believed.
Report report_from_json(const std::string& text, const std::string& place);

}  // namespace lastbit
