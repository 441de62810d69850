// embedding_bag: y[b] = sum over the bag's indices i of (w[i] * scale[i] + bias[i]) * per_sample_weights
#include "lib/rules/embedding.hpp"

namespace lastbit::ops {

Operator embedding_bag() {
  return {.name = "embedding_bag",
          .families = {"embedding"},
          .formula = "y[b] = sum_{i in bag b} (w[i] * scale[i] + bias[i]) * per_sample_weights[i]; bias = -zero_point * scale, or weight_bias",
          .inputs = {{"weight", "uint8, uint4, uint2 [rows, D], one scale a row"}, {"weight_bias", "float32 [rows]", true}, {"indices", "int32, int64"}, {"offsets", "int32, int64 [bags]", true}, {"per_sample_weights", "float32, like indices", true}},
          .outputs = {{"y", "float32 [bags, D]"}},
          .attributes = {{"mode", "sum, mean"}, {"include_last_offset", "true or false: offsets ends in the number of indices"}},
          .rules = {"fused_rows"},
          .check = check_embedding,
          .run = run_embedding,
          .real = real_embedding,
          .facts = nullptr};
}

}  // namespace lastbit::ops
