// steps.hpp: where a recurrent layer goes wrong by itself.
#pragma once
#include <cstdint>
#include <vector>

#include "verifier/cause.hpp"

namespace lastbit {

/// Every step starts from what the dump says the step before it wrote, so that one wrong element of y makes all that follow differ. The
/// elements that differ once it is put right; all that differ where more than a few steps would have to be.
std::vector<std::int64_t> wrong_by_themselves(const Case&);

}  // namespace lastbit
