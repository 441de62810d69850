// embedding.hpp: tables of quantized rows: looked up one by one, or summed in bags.
#pragma once
#include "lib/layer/operator.hpp"

namespace lastbit {

void check_embedding(const Layer&);
/// FBGEMM's generated kernels: for every index of a bag, in order, y = fma(q, s, y + b), where s and b are the row's scale and
/// bias, both multiplied by the sample's weight first. Cell parameters:
///   half    the row's scale and bias are rounded to float16 (4 and 2 bits)
///   mean    ignored: the sum is returned; divide: by the number of indices
Result run_embedding(const Layer&, const Cell&);
Real real_embedding(const Layer&, const Result&);

}  // namespace lastbit
