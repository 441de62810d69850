// two_causes.hpp: pairs of changes to a layer that accumulates, for what no single one explains.
#pragma once
#include "verifier/cause.hpp"

namespace lastbit {

/// Two suspects that together reproduce every observed value. `first` explains more when it is alone.
struct Pair {
  Suspect first, second;
  std::vector<std::int64_t> alone;             // differing elements that the first alone reproduces
  std::vector<std::string> instead_of_first, instead_of_second;  // names that do as well with the other
};

/// The simplest pair; none when the layer does not accumulate or no pair does it. Tried on a few elements of a few channels first.
std::optional<Pair> explain_by_two(const Case&, const std::vector<Suspect>&);

namespace causes {
/// zero-point:stale beside another change: by how much is solved from what the change leaves. In verifier/causes/zero_point.cpp.
std::optional<Suspect> stale_zero_point(const Case&, const Change& with);
}  // namespace causes

}  // namespace lastbit
