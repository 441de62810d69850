// generate.hpp: from a request to vectors: inputs by the suite, outputs by the profile, judged by the rational twin, weighed by
// what they tell apart.
#pragma once
#include "golden/suite.hpp"
#include "golden/workshop.hpp"

namespace lastbit {

/// Throws Error where the suite does not apply to the operator and profile, with the reason. `weigh`: false leaves the matrix empty.
Vectors generate(const VectorRequest&, bool weigh = true);

/// Fills the outputs of a layer with what the profile gives; returns the run.
Result compute(const Workshop&, Layer&);

/// What a layer's elements reached: ties and their neighbours, clamps, wraps.
std::vector<Reached> reached(const Workshop&, const std::vector<Layer>&);
/// Exact real value of every element of "y" in stored units, or nothing where the operator has none.
struct StoredReal {
  std::vector<double> near;
  std::function<Exact(std::int64_t)> exact;
  std::vector<double> bound;
};
std::optional<StoredReal> stored_real(const Workshop&, const Layer&, const Result&);
/// Whether a stored real value lies halfway between two integers.
bool is_half(const StoredReal&, std::int64_t element);

}  // namespace lastbit
