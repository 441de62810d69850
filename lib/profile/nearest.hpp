// nearest.hpp: stages seen as one rounding of a real number.
#pragma once
#include <optional>
#include <vector>

#include "lib/profile/requantize.hpp"

namespace lastbit {

/// Per channel (one entry: all alike): for every |acc| <= most the value that is brought to the nearest integer (ties either way) before
/// the zero point and the clamp lies within `error` of acc * multiplier + offset, the zero point counted in; farther out the error grows
/// no faster than |acc|. A relu before the rounding counts as the clamp that follows it.
struct Nearest {
  std::vector<double> multiplier, offset, error;
};

/// The stages so seen, `most` per channel as above. None when they are not of that kind in every channel, or when an |acc| <= reach may
/// overflow a register.
std::optional<Nearest> nearest_of(const Requantizer&, const std::vector<double>& most, double reach);

}  // namespace lastbit
