// add: y = clamp(round(((a - za) * sa + (b - zb) * sb) / so) + zo), with NumPy's broadcasting; see lib/rules/sum.hpp
#include "lib/rules/sum.hpp"

namespace lastbit::ops {
namespace {

Result run(const Layer& layer, const Cell& cell) { return run_sum(layer, cell, 1); }
Real real(const Layer& layer, const Result&) { return real_sum(layer, 1); }

}  // namespace

Operator add() {
  return {.name = "add",
          .families = {},
          .formula = "y = clamp(round(((a - za) * sa + (b - zb) * sb) / so) + zo)",
          .inputs = {{"a", "uint8, int8, int16"}, {"b", "like a; NumPy's broadcasting"}},
          .outputs = {{"y", "like a"}},
          .attributes = {{"activation", "none, relu, relu6 or {min, max}"}},
          .rules = sum_rules,
          .check = check_sum,
          .run = run,
          .real = real,
          .facts = facts_of_sum};
}

}  // namespace lastbit::ops
