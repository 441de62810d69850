// nearest.hpp: stages seen as one rounding of a real number.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "lib/profile/requantize.hpp"

namespace lastbit {

/// For every |acc| <= most the value that is brought to the nearest integer (ties either way) before the zero point and the clamp lies
/// within `error` of acc * multiplier + offset, the zero point counted in; farther out the error grows no faster than |acc|.
struct Nearest {
  double multiplier = 0, offset = 0, error = 0;
};

/// The stages of requantize.hpp, parsed once.
class NearestStages {
 public:
  NearestStages(const std::vector<std::string>& stages, const RequantizeContext&, const std::string& place);
  /// None when the channel's stages are not of that kind, or when an |acc| <= reach may overflow a register.
  std::optional<Nearest> of(std::int64_t channel, double most, double reach) const;

 private:
  struct Step {
    std::string verb, rule;
    std::optional<Expression> a, b;
  };
  const RequantizeContext& context_;
  std::vector<Step> steps_;
};

}  // namespace lastbit
