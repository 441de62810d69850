// window_plan.cpp: see window_plan.hpp.
#include "lib/kernels/window_plan.hpp"

#include <algorithm>

namespace lastbit {
namespace {

AxisPlan axis_plan(const Geometry& g, std::size_t a) {
  AxisPlan plan;
  const std::int64_t stride = g.stride[a], dilation = g.dilation[a], begin = g.begin[a], kernel = g.kernel[a], out = g.out[a], in = g.in[a];
  std::int64_t lowest = 0, highest = in - 1;
  plan.base.reserve(static_cast<std::size_t>(out));
  plan.phase.reserve(static_cast<std::size_t>(out));
  if (!g.transposed) {
    plan.phases.resize(1);
    for (std::int64_t t = 0; t < kernel; ++t) plan.phases[0].push_back({t, t * dilation});
    lowest = std::min(lowest, -begin);
    highest = std::max(highest, (out - 1) * stride - begin + (kernel - 1) * dilation);
    for (std::int64_t o = 0; o < out; ++o) plan.base.push_back(o * stride - begin), plan.phase.push_back(0);
  } else {
    const std::int64_t phases = std::min(stride, out);
    plan.phases.resize(static_cast<std::size_t>(phases));
    for (std::int64_t o = 0; o < out; ++o) {
      const std::int64_t at = o + begin;
      plan.base.push_back(at / stride);
      plan.phase.push_back(static_cast<std::int32_t>(o % phases));
      if (o >= phases) continue;
      auto& taps = plan.phases[static_cast<std::size_t>(o)];
      for (std::int64_t t = 0; t < kernel; ++t)
        if ((at - t * dilation) % stride == 0) taps.push_back({t, (at % stride - t * dilation) / stride});
    }
    for (std::int64_t o = 0; o < out; ++o)
      for (const auto& t : plan.phases[static_cast<std::size_t>(plan.phase[static_cast<std::size_t>(o)])]) {
        lowest = std::min(lowest, plan.base[static_cast<std::size_t>(o)] + t.offset);
        highest = std::max(highest, plan.base[static_cast<std::size_t>(o)] + t.offset);
      }
  }
  plan.before = -lowest;
  plan.after = highest - (in - 1);
  for (auto& b : plan.base) b += plan.before;
  return plan;
}

}  // namespace

bool WindowPlan::is_padded() const {
  return std::any_of(axis.begin(), axis.end(), [](const AxisPlan& a) { return a.before || a.after; });
}

std::vector<AxisTap> WindowPlan::taps(std::int64_t phase) const {
  const auto h = static_cast<std::int64_t>(axis[1].phases.size()), w = static_cast<std::int64_t>(axis[2].phases.size());
  const auto of = [&](std::size_t a, std::int64_t i) -> const std::vector<AxisTap>& { return axis[a].phases[static_cast<std::size_t>(i)]; };
  std::vector<AxisTap> all;
  for (const auto& d : of(0, phase / (h * w)))
    for (const auto& y : of(1, phase / w % h))
      for (const auto& x : of(2, phase % w))
        all.push_back({(d.tap * kernel[1] + y.tap) * kernel[2] + x.tap, (d.offset * padded[1] + y.offset) * padded[2] + x.offset});
  return all;
}

AxisInside axis_inside(const Geometry& g, std::size_t a, bool apart) {
  constexpr std::size_t many = 8;
  const std::int64_t kernel = g.kernel[a], out = g.out[a];
  const auto reads = [&](std::int64_t o, std::int64_t tap) { return g.source(static_cast<int>(a), o, tap) >= 0; };
  AxisInside t{{{0, kernel}}, std::vector<std::int32_t>(static_cast<std::size_t>(out))};
  std::int64_t outside = 0;
  for (std::int64_t o = 0; o < out && apart; ++o) {
    AxisInside::Range inside{0, kernel};
    while (inside.first < kernel && !reads(o, inside.first)) ++inside.first;
    while (inside.end > inside.first && !reads(o, inside.end - 1)) --inside.end;
    if (inside.first == inside.end) inside = {0, 0};
    const auto it = std::find(t.kinds.begin(), t.kinds.end(), inside);
    t.kind[static_cast<std::size_t>(o)] = static_cast<std::int32_t>(it - t.kinds.begin());
    if (it == t.kinds.end()) t.kinds.push_back(inside);
    outside += kernel - (inside.end - inside.first);
    if (t.kinds.size() > many) break;
  }
  if (t.kinds.size() > many || outside * 100 < out * kernel) {
    t.kinds.resize(1);
    std::fill(t.kind.begin(), t.kind.end(), 0);
  }
  return t;
}

WindowPlan window_plan(const Geometry& g) {
  WindowPlan plan;
  plan.kernel = g.kernel;
  for (std::size_t a = 0; a < 3; ++a) {
    plan.axis[a] = axis_plan(g, a);
    plan.padded[a] = g.in[a] + plan.axis[a].before + plan.axis[a].after;
    plan.phase_count *= static_cast<std::int64_t>(plan.axis[a].phases.size());
  }
  return plan;
}

}  // namespace lastbit
