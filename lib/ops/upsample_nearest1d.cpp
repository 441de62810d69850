// upsample_nearest1d: copies by floor(o * step). lib/rules/resample.hpp
#include "lib/rules/resample.hpp"

namespace lastbit::ops {

Operator upsample_nearest1d() { return nearest("upsample_nearest1d", 1, false); }

}  // namespace lastbit::ops
