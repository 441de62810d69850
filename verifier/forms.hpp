// forms.hpp: the float and the exact form of a layer, against what the profile computed and the runtime dumped.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "lib/layer/operator.hpp"
#include "reports/report.hpp"

namespace lastbit {

/// The float form: the real values in float32 and float64, quantized as by hand, clamp(rne(y / so) + zo), against the dump.
/// `times`, here and below: how often each element counts (as many as there are); empty: once.
FloatSummary float_form(const Layer&, const Real&, std::span<const std::int64_t> times = {});

/// The exact form: how far the profile's own results lie from the real number (in LSB of the output), exact ties, and how many
/// are not the correctly rounded result. The filter decides nearly all; Exact decides the rest.
ExactSummary exact_form(const Layer&, const Computed& y, const Real&, std::span<const std::int64_t> times = {});

/// One error, in LSB, into 40 bins of 0.05 over [-1, 1); empty bins are made. Rounded first: the filter's last bits depend on the order of
/// its sums.
void add_to_histogram(std::vector<std::int64_t>& bins, double error, std::int64_t times);

/// Exact value of one element in the output's LSB (zero point included), as decimal text; for floats the real value itself.
std::string exact_text(const Layer&, const Real&, std::int64_t index);

}  // namespace lastbit
