// stages.hpp: requantization pipelines spelled anew, for causes that change more than one stage.
#pragma once
#include <string>
#include <vector>

#include "verifier/cause.hpp"

namespace lastbit {

/// acc -> float or double, bias as the layer has it, one multiplication, one rounding, zero point after it, clamp.
/// `type`: "float" or "double"; `multiplier`: an expression; `rounding`: half_even, ...
std::vector<std::string> scaled_stages(const Case&, const std::string& type, const std::string& multiplier, const std::string& rounding = "half_even");

/// acc + int32 bias -> fixed RULE multiplier, zero point, clamp. A float bias is rounded to si*sw first.
std::vector<std::string> fixed_stages(const Case&, const std::string& rule, const std::string& multiplier);

/// The zero point added to the float before it is rounded, or to the integer after it; the same stages where it is already so.
Stages zero_point_inside(const Stages&);
Stages zero_point_outside(const Stages&);

/// Whether stages say how the layer requantizes: it accumulates, or its cell's rule is "stages" (mul, requantize, ...), or it sums
/// in parts.
bool staged(const Case&);
/// Whether many sums inside the layer go through its stages: of every step of a recurrent layer, of every row by its own scale.
bool sums_in_stages(const Case&);
/// A suspect that changes the stages alone: on the accumulators, or by running the operator again.
Suspect staged_suspect(const Case&, std::string name, std::string sentence, Stages stages, int rank = 10);
/// The same by an edit of the stages, so that it goes together with another.
Suspect staged_suspect(const Case&, std::string name, std::string sentence, std::function<Stages(const Stages&)> edit, int rank = 10);

}  // namespace lastbit
