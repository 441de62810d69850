// hardtanh: y = min(max(x, min_val), max_val); see lib/rules/limits.hpp
#include "lib/error.hpp"
#include "lib/rules/limits.hpp"

namespace lastbit::ops {
namespace {

Limits limits(const Layer& layer) { return {layer.attributes.number("min_val", -1.0), layer.attributes.number("max_val", 1.0)}; }

void check(const Layer& layer) {
  const Limits l = limits(layer);
  if (*l.lo > *l.hi) throw Error(layer.place + ": attribute \"min_val\"", "found more than max_val, expected min_val <= max_val");
  check_limits(layer, l);
}
Result run(const Layer& layer, const Cell& cell) { return run_limits(layer, cell, limits(layer)); }
Real real(const Layer& layer, const Result&) { return real_limits(layer, limits(layer)); }

}  // namespace

Operator hardtanh() {
  return {.name = "hardtanh",
          .families = {"limits"},
          .formula = "y = min(max(x, min_val), max_val)",
          .inputs = {{"x", "uint8, int8, int16"}},
          .outputs = {{"y", "like x"}},
          .attributes = {{"min_val", "number, -1 when absent"}, {"max_val", "number, 1 when absent"}},
          .rules = {"clamp", "stages"},
          .check = check,
          .run = run,
          .real = real,
          .facts = output_facts};
}

}  // namespace lastbit::ops
