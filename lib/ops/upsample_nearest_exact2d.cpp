// upsample_nearest_exact2d: copies by floor((o + 0.5) * step). lib/rules/resample.hpp
#include "lib/rules/resample.hpp"

namespace lastbit::ops {

Operator upsample_nearest_exact2d() { return nearest("upsample_nearest_exact2d", 2, true); }

}  // namespace lastbit::ops
