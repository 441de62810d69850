// requant.hpp: one accumulator under every rule.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lastbit {

struct RequantOptions {
  std::int64_t acc = 0, zero_point = 0;
  double scale_in = 1, scale_weight = 1, scale_out = 1;
  std::string dtype = "int8";
  std::optional<double> bias;                 // in real units, a float32: added as each rule adds one
  std::optional<std::int64_t> min, max;       // a fused activation's bounds, in the output's own integers
};
struct RequantRow {
  std::string rule, profiles, value;   // profiles that compute a linear layer so
  std::vector<std::string> stages;
};
struct RequantTable {
  std::string exact, fraction;         // acc * si * sw / so + bias / so
  std::vector<RequantRow> rows;
};
RequantTable requant(const RequantOptions&);
std::string to_text(const RequantTable&, const RequantOptions&);
std::string to_json(const RequantTable&, const RequantOptions&);

}  // namespace lastbit
