// upsample_nearest2d: copies by floor(o * step). lib/rules/resample.hpp
#include "lib/rules/resample.hpp"

namespace lastbit::ops {

Operator upsample_nearest2d() { return nearest("upsample_nearest2d", 2, false); }

}  // namespace lastbit::ops
