// values.hpp: what a tensor's bytes must satisfy beyond their count.
#pragma once
#include <string>

#include "lib/dump/dump.hpp"

namespace lastbit {

/// The file's dtype for a manifest's: 4- and 2-bit values lie in bytes.
DType storage_of(DType);

/// Several values a byte along the last axis, to one a byte. `t` is uint8 or int8; negative values are sign-extended.
Tensor unpacked(const Tensor& t, const TensorEntry&, const std::string& place);

/// Throws Error naming the first element outside qmin..qmax.
void check_range(const Tensor&, const std::string& place);

}  // namespace lastbit
