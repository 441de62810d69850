// weight_zero_point: the weight's zero point was not taken off.
#include <algorithm>

#include "verifier/cause.hpp"
#include "verifier/float_sums.hpp"

namespace lastbit::causes {
namespace {

std::vector<Suspect> suspects(const Case& c) {
  if (FloatSums::applies(c)) {
    const auto sums = std::make_shared<const FloatSums>(c);
    const auto other = std::make_shared<const std::vector<std::int64_t>>(sums->sums_of([](const Geometry&, AccumulationInput& in) { in.w_zero_point = {0}; }));
    if (*other == sums->sums()) return {};
    return {float_sums_suspect(sums, "weight-zero-point:ignored", "The zero point of b was not taken off.", [other](std::int64_t i) { return (*other)[static_cast<std::size_t>(i)]; })};
  }
  if (!c.accumulates() || std::all_of(c.numbers().w_zero_point.begin(), c.numbers().w_zero_point.end(), [](auto z) { return z == 0; })) return {};
  return {suspect(c, "weight-zero-point:ignored", "The weight's zero point was not taken off.", {.input = OtherOperands({.w_zero_point = std::vector<std::int64_t>{0}})})};
}

}  // namespace

Cause weight_zero_point() { return {"weight-zero-point", "the weight's zero point ignored", {"weight-zero-point:ignored"}, suspects}; }

}  // namespace lastbit::causes
