// upsample_nearest3d: copies by floor(o * step). lib/rules/resample.hpp
#include "lib/rules/resample.hpp"

namespace lastbit::ops {

Operator upsample_nearest3d() { return nearest("upsample_nearest3d", 3, false); }

}  // namespace lastbit::ops
