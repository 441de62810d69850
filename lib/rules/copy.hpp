// copy.hpp: operators that move values and change none.
#pragma once
#include "lib/layer/operator.hpp"

namespace lastbit {

/// y[i] = x[from[i]] bit for bit; -1 stands for `fill`.
Result copy_elements(const Tensor& x, const std::vector<std::int64_t>& from, const Shape& shape, double fill = 0);
/// The real value of a moved element is its own; the Real refers to x.
Real real_copy(const Tensor& x, const std::vector<std::int64_t>& from, double fill = 0);

}  // namespace lastbit
