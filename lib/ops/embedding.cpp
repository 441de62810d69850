// embedding: y[i] = w[indices[i]] * scale + bias of that row
#include "lib/rules/embedding.hpp"

namespace lastbit::ops {

Operator embedding() {
  return {.name = "embedding",
          .families = {},
          .formula = "y[i] = w[indices[i]] * scale[indices[i]] + bias[indices[i]]; bias = -zero_point * scale, or weight_bias",
          .inputs = {{"weight", "uint8, uint4, uint2 [rows, D], one scale a row"}, {"weight_bias", "float32 [rows]", true}, {"indices", "int32, int64"}},
          .outputs = {{"y", "float32 [..., D]"}},
          .attributes = {},
          .rules = {"fused_rows"},
          .check = check_embedding,
          .run = run_embedding,
          .real = real_embedding,
          .facts = nullptr};
}

}  // namespace lastbit::ops
