// compare.hpp: expected against observed. Only equality passes; the size of an error is description.
#pragma once
#include "lib/layer/operator.hpp"
#include "reports/report.hpp"

namespace lastbit {

/// One output tensor, element by element. LSB errors are signed, observed - expected; for floats in ulps (NaN equals NaN, and
/// differs from everything else by the largest error there is).
struct Comparison {
  std::int64_t elements = 0, mismatches = 0, undefined = 0, max_lsb = 0;
  long double sum_lsb = 0;
  std::map<std::int64_t, std::int64_t> histogram;
  std::vector<std::int64_t> differing;   // indexes, in order
  double signal = 0, noise = 0, dot = 0, expected_square = 0, observed_square = 0;  // of the dequantized tensors
};
Comparison compare(const Computed& expected, const Tensor& observed);

/// observed - expected of one element.
std::int64_t lsb_error(const Computed& expected, const Tensor& observed, std::int64_t index);

/// Index in the stored array's axes of element i (row-major in the tensor's own order).
std::vector<std::int64_t> stored_index(const Tensor&, std::int64_t i);

/// "tcswpiu" with a dot where an event did not happen.
std::string event_flags(Events);

/// Shortest text that reads back as the same float32.
std::string shortest(float);

}  // namespace lastbit
