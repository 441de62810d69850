// clamp: y = min(max(x, min), max); see lib/rules/limits.hpp
#include "lib/rules/limits.hpp"

namespace lastbit::ops {
namespace {

Limits limits(const Layer& layer) {
  Limits l;
  if (layer.attributes.has("min")) l.lo = layer.attributes.number("min");
  if (layer.attributes.has("max")) l.hi = layer.attributes.number("max");
  return l;
}

void check(const Layer& layer) { check_limits(layer, limits(layer)); }
Result run(const Layer& layer, const Cell& cell) { return run_limits(layer, cell, limits(layer)); }
Real real(const Layer& layer, const Result&) { return real_limits(layer, limits(layer)); }

}  // namespace

Operator clamp() {
  return {.name = "clamp",
          .families = {"limits"},
          .formula = "y = min(max(x, min), max)",
          .inputs = {{"x", "uint8, int8, int16"}},
          .outputs = {{"y", "like x"}},
          .attributes = {{"min", "number; no bound when absent"}, {"max", "number; no bound when absent"}},
          .rules = {"clamp", "stages"},
          .check = check,
          .run = run,
          .real = real,
          .facts = output_facts};
}

}  // namespace lastbit::ops
