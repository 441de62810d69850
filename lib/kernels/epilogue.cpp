// epilogue.cpp: the constants of an epilogue, and blocks cut into runs. See epilogue.hpp; the vectors are in epilogue_run.cpp.
#include "lib/kernels/epilogue.hpp"

#include <algorithm>
#include <cmath>

#include "lib/error.hpp"
#include "lib/kernels/epilogue_planes.hpp"
#include "lib/kernels/epilogue_run.hpp"

namespace lastbit {
namespace {

std::vector<std::int32_t> narrow(const std::vector<std::int64_t>& v) {
  std::vector<std::int32_t> r;
  for (const auto i : v) r.push_back(static_cast<std::int32_t>(i));  // clamped to int32 by the stage
  return r;
}

bool vectorized(FixedRule rule) {
  return rule == FixedRule::double_away || rule == FixedRule::double_up || rule == FixedRule::single || rule == FixedRule::floor_up || rule == FixedRule::double_away_saturating;
}

}  // namespace

std::optional<Epilogue> epilogue_of(const Requantizer& requantize, DType y) {
  if (info(y).bits > 8 || is_float(y)) return std::nullopt;
  const RequantizeContext& c = requantize.context();
  Epilogue e;
  e.y = y;
  if (c.channels.empty() || !c.channels[0].count("zo")) return std::nullopt;
  const double zo = c.channels[0].at("zo");
  const bool negative = info(y).min < 0;
  if (!(std::fabs(zo) <= 255) || zo != std::trunc(zo) || c.min < (negative ? -128 : 0) || c.max > (negative ? 127 : 255) || c.min > c.max) return std::nullopt;
  for (const auto& channel : c.channels)
    if (channel.at("zo") != zo) return std::nullopt;
  e.zero_point = static_cast<std::int32_t>(zo);
  e.min = static_cast<std::int32_t>(c.min);
  e.max = static_cast<std::int32_t>(c.max);
  if (const auto* path = requantize.float32_path()) {
    e.path = Epilogue::Path::float32;
    e.range = path->range;
    e.bias = narrow(path->bias);
    e.addend = path->addend;
    e.multiplier = path->multiplier;
    for (const float m : e.multiplier)
      if (!std::isfinite(m)) return std::nullopt;
    float most = 0, added = 0;
    for (const float m : e.multiplier) most = std::max(most, std::fabs(m));
    for (const float a : e.addend) {
      if (!(std::fabs(a) < 0x1p100f)) return std::nullopt;
      added = std::max(added, std::fabs(a));
    }
    // A sum that wraps under such a bias is far beyond 2^24.
    const bool small_bias = std::all_of(e.bias.begin(), e.bias.end(), [](std::int32_t b) { return b >= -(1 << 30) && b <= 1 << 30; });
    e.calm = small_bias && static_cast<double>(most) * (0x1p24 + static_cast<double>(added)) < 0x1p30;
    return e;
  }
  if (const auto* path = requantize.fixed_path()) {
    e.path = Epilogue::Path::fixed;
    e.rule = path->rule;
    e.tail = path->tail;
    e.tail_from = path->tail_from;
    e.bias = narrow(path->bias);
    if (!vectorized(e.rule) || !vectorized(e.tail)) return std::nullopt;
    for (const auto m : path->multiplier) {
      if (m.m < 0 || m.shift > 30 || m.shift < -31) return std::nullopt;
      e.mantissa.push_back(m.m);
      e.shift.push_back(m.shift);
    }
    return e;
  }
  return std::nullopt;
}

void run_epilogue(const Epilogue& e, SumBlock& b, const OutputOrder& order, const EpilogueRequest& request, EpilogueResult& r) {
  ensure(!b.wide, "an epilogue needs int32 sums");
  if (b.runs == 0 || b.length == 0) return;
  if (r.elements == 0) r.acc_min = std::numeric_limits<std::int32_t>::max(), r.acc_max = std::numeric_limits<std::int32_t>::min();
  EpilogueRuns runs{&e, b.by_position, b.first, b.runs, b.step, b.length, b.by_position_step, order.channels, order.positions, order.channels_last, request.observed, request.stored, request.events, &r};
  if (b.acc || !b.by_position || !epilogue_planes(runs)) {
    turn_sums(b);
    runs.acc = b.acc;
    runs.acc_step = b.acc_step;
    epilogue_runs(runs);
  }
  r.elements += b.runs * b.length;
}

}  // namespace lastbit
