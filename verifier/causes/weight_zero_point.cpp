// weight_zero_point: the weight's zero point was not taken off.
#include <algorithm>

#include "verifier/cause.hpp"

namespace lastbit::causes {
namespace {

std::vector<Suspect> suspects(const Case& c) {
  if (!c.accumulates() || std::all_of(c.input().w_zero_point.begin(), c.input().w_zero_point.end(), [](auto z) { return z == 0; })) return {};
  AccumulationInput in = c.input();
  in.w_zero_point = {0};
  return {suspect(c, "weight-zero-point:ignored", "The weight's zero point was not taken off.", {.input = in})};
}

}  // namespace

Cause weight_zero_point() { return {"weight-zero-point", "the weight's zero point ignored", {"weight-zero-point:ignored"}, suspects}; }

}  // namespace lastbit::causes
