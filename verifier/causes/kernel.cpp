// kernel: the taps of the weight run backwards (correlation taken for convolution).
#include "verifier/cause.hpp"

namespace lastbit::causes {
namespace {

std::vector<Suspect> suspects(const Case& c) {
  if (!c.accumulates() || c.geometry().taps() < 2) return {};
  const Reading flipped{.place = [T = c.geometry().taps()](std::int64_t i) { return i + T - 1 - 2 * (i % T); }};
  return {suspect(c, "kernel:flipped", "The kernel's taps run backwards along every axis.", {.input = OtherOperands({.w = flipped})})};
}

}  // namespace

Cause kernel() { return {"kernel", "the kernel's taps reversed", {"kernel:flipped"}, suspects}; }

}  // namespace lastbit::causes
