// relu6: y = min(max(x, 0), 6); see lib/rules/limits.hpp
#include "lib/rules/limits.hpp"

namespace lastbit::ops {
namespace {

Limits limits(const Layer&) { return {0.0, 6.0}; }

void check(const Layer& layer) { check_limits(layer, limits(layer)); }
Result run(const Layer& layer, const Cell& cell) { return run_limits(layer, cell, limits(layer)); }
Real real(const Layer& layer, const Result&) { return real_limits(layer, limits(layer)); }

}  // namespace

Operator relu6() {
  return {.name = "relu6",
          .families = {"limits"},
          .formula = "y = min(max(x, 0), 6)",
          .inputs = {{"x", "uint8, int8, int16"}},
          .outputs = {{"y", "like x"}},
          .attributes = {},
          .rules = {"clamp", "stages"},
          .check = check,
          .run = run,
          .real = real,
          .facts = output_facts};
}

}  // namespace lastbit::ops
