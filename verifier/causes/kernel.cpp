// kernel: the taps of the weight run backwards (correlation taken for convolution).
#include <algorithm>

#include "verifier/altered.hpp"
#include "verifier/cause.hpp"

namespace lastbit::causes {
namespace {

std::vector<Suspect> suspects(const Case& c) {
  if (!c.accumulates()) {
    std::vector<Suspect> all;
    if (c.op.spatial)
      add_edited(c, all, weight_ports(c), "kernel:flipped", "The kernel's taps run backwards along every axis.", [](const Tensor& t) {
        const std::int64_t T = t.rank() > 2 ? t.size() / std::max<std::int64_t>(t.dim(0) * t.dim(1), 1) : 1;
        return gathered(t, [T](std::int64_t i) { return i + T - 1 - 2 * (i % T); });
      });
    return all;
  }
  if (c.geometry().taps() < 2) return {};
  const Reading flipped{.place = [T = c.geometry().taps()](std::int64_t i) { return i + T - 1 - 2 * (i % T); }};
  return {suspect(c, "kernel:flipped", "The kernel's taps run backwards along every axis.", {.input = OtherOperands({.w = flipped})})};
}

}  // namespace

Cause kernel() { return {"kernel", "the kernel's taps reversed", {"kernel:flipped"}, suspects}; }

}  // namespace lastbit::causes
