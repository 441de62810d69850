// reduction.hpp: mean, sum and std: what they share.
#pragma once
#include "lib/rules/shapes.hpp"

namespace lastbit {

/// x is quantized, not empty; dim, keepdim fit; y has their shape.
void check_reduction(const Layer&);
std::vector<AttributeSpec> reduction_attributes();
/// "inner": the reduced axes are the last ones and the runtime held x contiguous. "image_mean": dim is [2, 3] of four axes.
/// "planes": the same axes with keepdim, stored last but one: [1, 2] of four.
void reduction_facts(const Layer&, std::set<std::string>&);

/// Sum of the stored integers of each group.
std::vector<std::int64_t> group_sums(const Groups&, const Tensor& x);

}  // namespace lastbit
