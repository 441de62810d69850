// kernel: the taps of the weight run backwards (correlation taken for convolution).
#include <algorithm>

#include "verifier/cause.hpp"

namespace lastbit::causes {
namespace {

std::vector<Suspect> suspects(const Case& c) {
  if (!c.accumulates() || c.geometry().taps() < 2) return {};
  AccumulationInput in = c.input();
  const auto T = static_cast<std::ptrdiff_t>(c.geometry().taps());
  for (auto at = in.w.begin(); at != in.w.end(); at += T) std::reverse(at, at + T);
  return {suspect(c, "kernel:flipped", "The kernel's taps run backwards along every axis.", {.input = in})};
}

}  // namespace

Cause kernel() { return {"kernel", "the kernel's taps reversed", {"kernel:flipped"}, suspects}; }

}  // namespace lastbit::causes
