// forms.hpp: the float and the exact form of a layer, against what the profile computed and the runtime dumped.
#pragma once
#include "lib/layer/operator.hpp"
#include "reports/report.hpp"

namespace lastbit {

/// The float form: the real values in float32 and float64, quantized as by hand, clamp(rne(y / so) + zo), against the dump.
FloatSummary float_form(const Layer&, const Real&);

/// The exact form: how far the profile's own results lie from the real number (in LSB of the output), exact ties, and how many
/// are not the correctly rounded result. The filter decides nearly all; Exact decides the rest.
ExactSummary exact_form(const Layer&, const Computed& y, const Real&);

/// Exact value of one element in the output's LSB (zero point included), as decimal text; for floats the real value itself.
std::string exact_text(const Layer&, const Real&, std::int64_t index);

}  // namespace lastbit
