// planted.hpp: faults that causes find only by solving for a number in what was observed, with the least such number; and faults of a
// place or of an input.
#pragma once
#include "verifier/cause.hpp"

namespace lastbit {

/// zero-point:stale    the output moved by 1 and by -1 before the clamp: whoever shows these shows every larger distance of the same sign
/// padding:stale       the padding one code above and one below the zero point, where there is padding
/// position:*          one code off in one element, row, channel, or in the last quarter (at least two) of the elements
/// input:a, input:b    one of two inputs of a shape and type read for the other
/// The case must outlive them.
std::vector<Suspect> planted_faults(const Case&);

}  // namespace lastbit
