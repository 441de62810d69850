// epilogue.cpp: see epilogue.hpp.
#include "lib/kernels/epilogue.hpp"

#include <algorithm>
#include <cmath>

#include "lib/error.hpp"
#include "lib/num/float.hpp"

namespace lastbit {
namespace {

template <class T>
T of(const std::vector<T>& v, std::int64_t channel) {
  return v.size() == 1 ? v[0] : v[static_cast<std::size_t>(channel)];
}

std::vector<std::int32_t> narrow(const std::vector<std::int64_t>& v) {
  std::vector<std::int32_t> r;
  for (const auto i : v) r.push_back(static_cast<std::int32_t>(i));  // clamped to int32 by the stage
  return r;
}

/// One element, its events counted.
std::int32_t element(const Epilogue& e, std::int32_t acc, std::int64_t channel, std::int32_t& v, EpilogueResult& r) {
  const std::int64_t sum = std::int64_t{acc} + (e.bias.empty() ? 0 : of(e.bias, channel));
  v = wrap32(sum);
  r.wrapped += v != sum;
  std::int64_t y = 0;
  const std::int64_t low = std::int64_t{e.min} - e.zero_point, high = std::int64_t{e.max} - e.zero_point;
  bool tie = false, clamped = false, wrapped = false;
  if (e.path == Epilogue::Path::float32) {
    float x = static_cast<float>(v);
    r.inexact_float += static_cast<std::int64_t>(x) != v;
    if (!e.addend.empty()) x = x + of(e.addend, channel);
    x = x * of(e.multiplier, channel);
    if (e.range) {
      clamped = x < static_cast<float>(low) || x > static_cast<float>(high);
      x = std::clamp(x, static_cast<float>(low), static_cast<float>(high));
    }
    if (!(x >= -2147483648.0f && x < 2147483648.0f)) {
      ++r.saturated;
      y = std::numeric_limits<std::int32_t>::min();
    } else {
      const auto rounded = to_integer(x, Rounding::half_even);
      tie = rounded.lost == Lost::half;
      y = rounded.value;
    }
  } else {
    y = multiply_fixed(channel < e.tail_from ? e.rule : e.tail, v, of(e.fixed, channel), tie, wrapped);
  }
  clamped = clamped || y < low || y > high;
  r.tie += tie;
  r.clamped += clamped;
  r.wrapped += wrapped && v == sum;
  return static_cast<std::int32_t>(std::clamp(y, low, high)) + e.zero_point;
}

}  // namespace

std::optional<Epilogue> epilogue_of(const Requantizer& requantize, DType y) {
  if (info(y).bits > 8 || is_float(y)) return std::nullopt;
  const RequantizeContext& c = requantize.context();
  Epilogue e;
  e.y = y;
  const auto names = c.channels.empty() ? Names{} : c.channels[0];
  if (!names.count("zo")) return std::nullopt;
  const double zo = names.at("zo");
  if (!(std::fabs(zo) <= 255) || zo != std::trunc(zo) || c.min < -128 || c.max > 255 || c.min > c.max) return std::nullopt;
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
    for (const float a : e.addend)
      if (!(std::fabs(a) < 0x1p100f)) return std::nullopt;
    return e;
  }
  if (const auto* path = requantize.fixed_path()) {
    e.path = Epilogue::Path::fixed;
    e.rule = path->rule;
    e.tail = path->tail;
    e.tail_from = path->tail_from;
    e.bias = narrow(path->bias);
    e.fixed = path->multiplier;
    for (const auto rule : {e.rule, e.tail})
      if (rule != FixedRule::double_away && rule != FixedRule::double_up && rule != FixedRule::single && rule != FixedRule::floor_up && rule != FixedRule::double_away_saturating) return std::nullopt;
    for (const auto m : e.fixed)
      if (m.m < 0 || m.shift > 30 || m.shift < -31) return std::nullopt;
    return e;
  }
  return std::nullopt;
}

void run_epilogue(const Epilogue& e, const SumBlock& b, const OutputOrder& order, const EpilogueRequest& request, EpilogueResult& r) {
  ensure(b.acc != nullptr, "an epilogue needs int32 sums");
  EpilogueResult events;
  for (std::int64_t run = 0; run < b.runs; ++run) {
    const std::int64_t first = b.first + run * b.step;
    for (std::int64_t i = 0; i < b.length; ++i) {
      const std::int64_t at = first + i, channel = order.channels_last ? at % order.channels : at / order.positions % order.channels;
      std::int32_t v = 0;
      const std::int32_t y = element(e, b.acc[run * b.acc_step + i], channel, v, events);
      if (r.elements == 0) r.acc_min = r.acc_max = v;
      r.acc_min = std::min(r.acc_min, v);
      r.acc_max = std::max(r.acc_max, v);
      ++r.elements;
      const auto byte = static_cast<std::byte>(static_cast<std::uint32_t>(y) & 0xFF);
      if (request.stored) request.stored[run * b.acc_step + i] = byte;
      if (request.observed && request.observed[at] != byte) r.differ.push_back(at);
    }
  }
  if (!request.events) return;
  r.tie += events.tie;
  r.clamped += events.clamped;
  r.saturated += events.saturated;
  r.wrapped += events.wrapped;
  r.inexact_float += events.inexact_float;
}

}  // namespace lastbit
