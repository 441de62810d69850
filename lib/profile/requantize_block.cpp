// requantize_block.cpp: the stages over many accumulators, step by step in loops that the compiler brings into vectors. See requantize.hpp.
//
// An integer that follows a conversion is held within 2^30 of 0. Nothing sees that: only the zero point, the 16-bit register and clamps
// follow, all of them monotone, and every clamp's bounds lie within 2^28. Where a clamp is open, the integer must lie there by itself. What
// does not fit this goes through the scalar stages.
#include <algorithm>
#include <array>
#include <cmath>

#include "lib/num/float.hpp"
#include "lib/profile/requantize_steps.hpp"

namespace lastbit {

using namespace requantizing;

namespace {

constexpr std::size_t most = 256;                    // accumulators of a block
constexpr double far = 0x1p30, bound = 0x1p28;       // of integers after a conversion; of zero points and clamps

/// Where numbers are held as the steps go by: integers, float32 or float64.
struct Block {
  Value::Kind kind = Value::Kind::integer;
  std::array<std::int32_t, most> i;
  std::array<float, most> f;
  std::array<double, most> d;
};

/// body(constant of element k), where all have the same, or element k that of channel + k.
template <class T, class F>
void with(const std::vector<double>& constants, std::int64_t channel, bool along, F body) {
  if (along && constants.size() > 1) {
    const double* from = constants.data() + channel;
    body([from](std::size_t k) { return static_cast<T>(from[k]); });
  } else {
    const T one = static_cast<T>(of(constants, channel));
    body([one](std::size_t) { return one; });
  }
}

template <class T, class F>
void each(std::array<T, most>& v, std::size_t n, F f) {
  for (std::size_t k = 0; k < n; ++k) v[k] = f(v[k], k);
}

/// v = f(v, constant) in the block's own float type.
template <class F>
void real_step(Block& b, std::size_t n, const Step& s, std::int64_t channel, bool along, F f) {
  if (b.kind == Value::Kind::f32) with<float>(s.a, channel, along, [&](auto a) { each(b.f, n, [&](float v, std::size_t k) { return f(v, a(k)); }); });
  else with<double>(s.a, channel, along, [&](auto a) { each(b.d, n, [&](double v, std::size_t k) { return f(v, a(k)); }); });
}

/// As to_integer() of num/round.hpp: `up(above, half, odd, negative)` says whether the floor moves up by one.
template <class Up>
void round_all(Block& b, std::size_t n, Up up) {
  for (std::size_t k = 0; k < n; ++k) {
    const double x = b.d[k] < -far ? -far : b.d[k] > far ? far : b.d[k];
    std::int32_t floor = static_cast<std::int32_t>(x);
    floor -= static_cast<double>(floor) > x;
    const double cut = x - static_cast<double>(floor);
    b.i[k] = floor + up(cut, floor & 1, x < 0);
  }
}

bool round_block(Block& b, std::size_t n, const Step& s, bool open) {
  if (b.kind == Value::Kind::f32)
    for (std::size_t k = 0; k < n; ++k) b.d[k] = static_cast<double>(b.f[k]);
  bool number = true;
  if (open)
    for (std::size_t k = 0; k < n; ++k) number &= b.d[k] > -far && b.d[k] < far;
  else
    for (std::size_t k = 0; k < n; ++k) number &= b.d[k] == b.d[k];
  if (!number) return false;
  if (s.overflow == Overflow::int_min)
    for (std::size_t k = 0; k < n; ++k) b.d[k] = b.d[k] >= 0x1p31 ? -far : b.d[k];
  switch (s.rounding) {
    case Rounding::half_even: round_all(b, n, [](double cut, std::int32_t odd, bool) { return (cut > 0.5) | ((cut == 0.5) & odd); }); break;
    case Rounding::half_away: round_all(b, n, [](double cut, std::int32_t, bool negative) { return (cut > 0.5) | ((cut == 0.5) & !negative); }); break;
    case Rounding::half_up: round_all(b, n, [](double cut, std::int32_t, bool) { return cut >= 0.5; }); break;
    case Rounding::half_down: round_all(b, n, [](double cut, std::int32_t, bool) { return cut > 0.5; }); break;
    case Rounding::to_zero: round_all(b, n, [](double cut, std::int32_t, bool negative) { return negative & (cut != 0); }); break;
    case Rounding::floor: round_all(b, n, [](double, std::int32_t, bool) { return 0; }); break;
    case Rounding::ceil: round_all(b, n, [](double cut, std::int32_t, bool) { return cut != 0; }); break;
  }
  b.kind = Value::Kind::integer;
  return true;
}

bool fixed_block(Block& b, std::size_t n, const Step& s, std::int64_t channel, bool along, bool open) {
  constexpr std::int64_t most_held = std::int64_t{1} << 30;
  bool held = true;
  for (std::size_t k = 0; k < n; ++k) {
    const std::int64_t c = along ? channel + static_cast<std::int64_t>(k) : channel;
    const FixedRule rule = c < s.tail_from ? s.fixed : s.tail;
    const auto scale = static_cast<float>(of(s.a, c));
    bool tie = false, wrapped = false;
    const std::int64_t v = rule == FixedRule::rndnu ? multiply_rndnu(b.i[k], scale, tie)
                           : rule == FixedRule::rndnu16 ? multiply_rndnu16(b.i[k], scale, tie)
                           : rule == FixedRule::q8 ? multiply_q8(b.i[k], scale, tie)
                                                   : multiply_fixed(rule, b.i[k], of(s.multiplier, c), tie, wrapped);
    held &= v > -most_held && v < most_held;
    b.i[k] = static_cast<std::int32_t>(std::clamp(v, -most_held, most_held));
  }
  return held || !open;
}

void held_block(Block& b, std::size_t n, const Step& s) {
  if (s.bits >= 32) return;
  if (s.saturates) {
    const auto high = static_cast<std::int32_t>((std::int64_t{1} << (s.bits - 1)) - 1), low = -high - 1;
    each(b.i, n, [=](std::int32_t v, std::size_t) { return std::min(std::max(v, low), high); });
  } else {
    const int out = 32 - s.bits;
    each(b.i, n, [=](std::int32_t v, std::size_t) { return static_cast<std::int32_t>(static_cast<std::uint32_t>(v) << out) >> out; });
  }
}

void clamp_block(Block& b, std::size_t n, const Step& s, const RequantizeContext& context, std::int64_t channel, bool along) {
  const std::vector<double> none{0};
  with<std::int64_t>(s.verb == Verb::range ? s.a : none, channel, along, [&](auto shift) {
    const std::int64_t min = context.min, max = context.max;
    const auto held = [](std::int64_t v) { return static_cast<std::int32_t>(std::clamp<std::int64_t>(v, INT32_MIN, INT32_MAX)); };
    if (b.kind == Value::Kind::integer) {
      each(b.i, n, [&](std::int32_t v, std::size_t k) { return std::min(std::max(v, held(min - shift(k))), held(max - shift(k))); });
    } else if (b.kind == Value::Kind::f32) {  // maxps, minps: NaN becomes the bound
      each(b.f, n, [&](float v, std::size_t k) {
        const auto lo = static_cast<float>(min - shift(k)), hi = static_cast<float>(max - shift(k));
        v = v > lo ? v : lo;
        return v < hi ? v : hi;
      });
    } else {
      each(b.d, n, [&](double v, std::size_t k) {
        const auto lo = static_cast<double>(min - shift(k)), hi = static_cast<double>(max - shift(k));
        return v < lo ? lo : hi < v ? hi : v;
      });
    }
  });
}

/// False: the numbers do not fit.
bool run_step(Block& b, std::size_t n, const Step& s, const RequantizeContext& context, std::int64_t channel, bool along, bool open) {
  const bool single = b.kind == Value::Kind::f32;
  switch (s.verb) {
    case Verb::bias:
      with<double>(s.a, channel, along, [&](auto a) {
        each(b.i, n, [&](std::int32_t v, std::size_t k) {
          const auto add = static_cast<std::int32_t>(integer_bias(a(k)));
          return static_cast<std::int32_t>(static_cast<std::uint32_t>(v) + static_cast<std::uint32_t>(add));
        });
      });
      return true;
    case Verb::to_float:
      for (std::size_t k = 0; k < n; ++k) b.f[k] = static_cast<float>(b.i[k]);
      b.kind = Value::Kind::f32;
      return true;
    case Verb::to_double:
      for (std::size_t k = 0; k < n; ++k) b.d[k] = static_cast<double>(b.i[k]);
      b.kind = Value::Kind::f64;
      return true;
    case Verb::multiply: return real_step(b, n, s, channel, along, [](auto v, auto a) { return v * a; }), true;
    case Verb::divide: return real_step(b, n, s, channel, along, [](auto v, auto a) { return v / a; }), true;
    case Verb::add: return real_step(b, n, s, channel, along, [](auto v, auto a) { return v + a; }), true;
    case Verb::fma: case Verb::muladd:
      for (std::size_t k = 0; k < n; ++k) {
        const std::int64_t c = along ? channel + static_cast<std::int64_t>(k) : channel;
        const double a = of(s.a, c), second = of(s.b, c);
        const bool by_value = s.verb == Verb::muladd;
        if (single) b.f[k] = by_value ? fused(b.f[k], static_cast<float>(a), static_cast<float>(second)) : fused(static_cast<float>(a), static_cast<float>(second), b.f[k]);
        else b.d[k] = by_value ? std::fma(b.d[k], a, second) : std::fma(a, second, b.d[k]);
      }
      return true;
    case Verb::activation: {
      const double slope = context.negative_slope;
      if (context.activation == "relu") {
        if (single) each(b.f, n, [](float v, std::size_t) { return v > 0.0f ? v : 0.0f; });
        else each(b.d, n, [](double v, std::size_t) { return v > 0 ? v : 0; });
      } else if (context.activation == "leaky_relu") {
        if (single) each(b.f, n, [slope](float v, std::size_t) { return v > 0.0f ? v : v * static_cast<float>(slope); });
        else each(b.d, n, [slope](double v, std::size_t) { return v > 0 ? v : v * slope; });
      } else if (context.activation == "tanh") {
        if (single) each(b.f, n, [](float v, std::size_t) { return static_cast<float>(std::tanh(static_cast<double>(v))); });
        else each(b.d, n, [](double v, std::size_t) { return std::tanh(v); });
      }
      return true;
    }
    case Verb::fixed: return fixed_block(b, n, s, channel, along, open);
    case Verb::round: return round_block(b, n, s, open);
    case Verb::zero_point:
      if (b.kind != Value::Kind::integer) return real_step(b, n, s, channel, along, [](auto v, auto a) { return v + a; }), true;
      with<std::int32_t>(s.a, channel, along, [&](auto a) { each(b.i, n, [&](std::int32_t v, std::size_t k) { return v + a(k); }); });
      return true;
    case Verb::saturate16: each(b.i, n, [](std::int32_t v, std::size_t) { return std::min(std::max(v, -32768), 32767); }); return true;
    case Verb::held: held_block(b, n, s); return true;
    case Verb::range: case Verb::clamp: clamp_block(b, n, s, context, channel, along); return true;
    case Verb::bias64: break;
  }
  return false;
}

}  // namespace

void Requantizer::State::find_block() {
  enum { integer, real, converted } at = integer;
  bool clamped = false;
  const std::int64_t min = context().min, max = context().max;
  const auto within = [](double v) { return v >= -bound && v <= bound; };
  const auto small = [&](const std::vector<double>& v) { return std::all_of(v.begin(), v.end(), within); };
  if (min > max || min < -(std::int64_t{1} << 61) || max > std::int64_t{1} << 61) return;
  for (const auto& step : steps) {
    const Step& s = *step;
    switch (s.verb) {
      case Verb::bias64: return;
      case Verb::bias: case Verb::held: if (at != integer) return; break;
      case Verb::to_float: case Verb::to_double: if (at != integer) return; at = real; break;
      case Verb::fixed: if (at != integer) return; at = converted; break;
      case Verb::round: if (at != real) return; at = converted; break;
      case Verb::multiply: case Verb::divide: case Verb::add: case Verb::fma: case Verb::muladd: case Verb::activation:
        if (at != real) return;
        clamped = false;
        break;
      case Verb::zero_point:
        if (at == integer || !small(s.a)) return;
        clamped &= at == converted;
        break;
      case Verb::saturate16: if (at != converted) return; break;
      case Verb::range: case Verb::clamp:
        if (at == integer || !small(s.a)) return;
        clamped = true;  // a float, too, is then converted to an integer within the bounds
        break;
    }
  }
  in_blocks = at == real || (at == converted && clamped);
  open = at == converted && (!within(static_cast<double>(min)) || !within(static_cast<double>(max)));
}

void Requantizer::values(std::span<const std::int64_t> sums, std::int64_t channel, bool along_channels, bool to_float, double* values) const {
  const auto one_by_one = [&](std::size_t from, std::size_t n) {
    Events ignored = 0;
    for (std::size_t k = from; k < from + n; ++k) {
      const std::int64_t c = along_channels ? channel + static_cast<std::int64_t>(k) : channel;
      values[k] = to_float ? static_cast<double>(this->to_float(sums[k], c, ignored)) : static_cast<double>((*this)(sums[k], c, ignored));
    }
  };
  if (!state_->in_blocks) return one_by_one(0, sums.size());
  Block b;
  for (std::size_t from = 0; from < sums.size(); from += most) {
    const std::size_t n = std::min(most, sums.size() - from);
    const std::int64_t first = along_channels ? channel + static_cast<std::int64_t>(from) : channel, *acc = sums.data() + from;
    b.kind = Value::Kind::integer;
    bool fits = true;
    for (std::size_t k = 0; k < n; ++k) {
      b.i[k] = wrap32(acc[k]);
      fits &= b.i[k] == acc[k];
    }
    for (const auto& s : state_->steps) fits = fits && run_step(b, n, *s, state_->context(), first, along_channels, state_->open);
    if (!fits || (!to_float && b.kind != Value::Kind::integer)) {
      one_by_one(from, n);
      continue;
    }
    double* to = values + from;
    if (b.kind == Value::Kind::integer)
      for (std::size_t k = 0; k < n; ++k) to[k] = to_float ? static_cast<double>(static_cast<float>(b.i[k])) : static_cast<double>(b.i[k]);
    else if (b.kind == Value::Kind::f32)
      for (std::size_t k = 0; k < n; ++k) to[k] = static_cast<double>(b.f[k]);
    else
      for (std::size_t k = 0; k < n; ++k) to[k] = static_cast<double>(static_cast<float>(b.d[k]));
  }
}

}  // namespace lastbit
