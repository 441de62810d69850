// requantize.cpp: the stages, one case each. See requantize.hpp.
#include "lib/profile/requantize_steps.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "lib/error.hpp"
#include "lib/num/exact.hpp"
#include "lib/num/fixed.hpp"
#include "lib/num/float.hpp"

namespace lastbit {

using namespace requantizing;

namespace {

constexpr std::array<std::string_view, 10> fixed_names{"double_away", "double_up", "single", "floor_up", "reduced", "double_away_saturating", "scale16", "rndnu", "rndnu16", "q8"};

FixedRule fixed_rule(const std::string& name, const std::string& place) {
  const auto it = std::find(fixed_names.begin(), fixed_names.end(), name);
  if (it == fixed_names.end()) throw Error(place, "found the fixed-point rule \"" + name + "\", expected double_away, double_up, single, floor_up, reduced, double_away_saturating, scale16, rndnu, rndnu16 or q8");
  return static_cast<FixedRule>(it - fixed_names.begin());
}

std::pair<std::string, std::string> cut(const std::string& s, char at) {
  const auto p = s.find(at);
  auto trim = [](std::string v) {
    v.erase(0, std::min(v.find_first_not_of(' '), v.size()));
    v.erase(v.find_last_not_of(' ') + 1);
    return v;
  };
  if (p == std::string::npos) return {trim(s), ""};
  return {trim(s.substr(0, p)), trim(s.substr(p + 1))};
}

std::string show(const Value& v) {
  if (v.kind == Value::Kind::integer) return std::to_string(v.i);
  if (!std::isfinite(v.real())) return v.real() != v.real() ? "nan" : v.real() > 0 ? "inf" : "-inf";
  std::array<char, 40> buffer{};
  const auto r = v.kind == Value::Kind::f32 ? std::to_chars(buffer.data(), buffer.data() + buffer.size(), v.f)
                                            : std::to_chars(buffer.data(), buffer.data() + buffer.size(), v.d);
  return std::string(buffer.data(), r.ptr) + " = " + Exact(v.real()).fraction();
}

}  // namespace

Step requantizing::compile(const std::string& text, const RequantizeContext& context, const std::string& place) {
  Step s{};
  s.text = text;
  const auto [verb, rest] = cut(text, ' ');
  const auto constants = [&](const std::string& expression) {
    return Expression::parse(expression, place + ": stage \"" + text + "\"").evaluate(context.channels).values;
  };
  const auto two = [&] {
    const auto [first, second] = cut(rest, ';');
    s.a = constants(first);
    s.b = constants(second);
  };
  if (verb == "bias" || verb == "bias64") s.verb = verb == "bias" ? Verb::bias : Verb::bias64, s.a = constants(rest);
  else if (verb == "float") s.verb = Verb::to_float;
  else if (verb == "double") s.verb = Verb::to_double;
  else if (verb == "multiply") s.verb = Verb::multiply, s.a = constants(rest);
  else if (verb == "divide") s.verb = Verb::divide, s.a = constants(rest);
  else if (verb == "add") s.verb = Verb::add, s.a = constants(rest);
  else if (verb == "fma") s.verb = Verb::fma, two();
  else if (verb == "muladd") s.verb = Verb::muladd, two();
  else if (verb == "activation") s.verb = Verb::activation;
  else if (verb == "zero_point") s.verb = Verb::zero_point, s.a = constants("zo");
  else if (verb == "saturate16") s.verb = Verb::saturate16;
  else if (verb == "register") {
    const auto [bits, model] = cut(rest, '-');
    const auto r = std::from_chars(bits.data(), bits.data() + bits.size(), s.bits);
    if (r.ec != std::errc() || r.ptr != bits.data() + bits.size() || s.bits < 2 || s.bits > 62 || (model != "wrap" && model != "saturate"))
      throw Error(place, "found the register \"" + rest + "\", expected 2 to 62 bits and wrap or saturate, as in 24-saturate");
    s.verb = Verb::held, s.saturates = model == "saturate";
  } else if (verb == "range") s.verb = Verb::range, s.a = constants("zo");
  else if (verb == "clamp") s.verb = Verb::clamp;
  else if (verb == "fixed") {
    const auto [rule, expression] = cut(rest, ' ');
    s.a = constants(expression);
    const auto [body, rest_of_rule] = cut(rule, '/');
    const auto [block, tail] = cut(rest_of_rule, '/');
    s.verb = Verb::fixed;
    s.fixed = s.tail = fixed_rule(body, place);
    if (!rest_of_rule.empty()) {
      std::int64_t n = 0;
      const auto r = std::from_chars(block.data(), block.data() + block.size(), n);
      if (r.ec != std::errc() || r.ptr != block.data() + block.size() || n < 1) throw Error(place, "found \"" + text + "\", expected a block of at least one channel, as in double_up/8/double_away");
      s.tail = fixed_rule(tail, place);
      s.tail_from = context.lanes / n * n;
    }
    for (const double v : s.a) s.multiplier.push_back(quantize_multiplier(v, s.fixed == FixedRule::scale16 ? 15 : 31));
  } else if (verb == "round") {
    const auto [mode, overflow] = cut(rest, ' ');
    const auto it = std::find(rounding_names.begin(), rounding_names.end(), mode);
    if (it == rounding_names.end()) throw Error(place, "found the rounding \"" + mode + "\", expected half_even, half_away, half_up, half_down, to_zero, floor or ceil");
    s.verb = Verb::round;
    s.rounding = static_cast<Rounding>(it - rounding_names.begin());
    if (overflow == "int_min" || overflow.empty()) s.overflow = Overflow::int_min;
    else if (overflow == "saturate") s.overflow = Overflow::saturate;
    else if (overflow == "exact") s.overflow = Overflow::exact;
    else throw Error(place, "found the overflow \"" + overflow + "\", expected int_min, saturate or exact");
  } else throw Error(place, "found the stage \"" + text + "\", expected one of bias, bias64, float, double, multiply, divide, add, fma, muladd, activation, fixed, round, zero_point, saturate16, register, range, clamp");
  return s;
}

namespace {

/// The integer that a float comes to, in the way the runtime's conversion does it.
std::int64_t convert(const Value& v, const Step& s, Events& events) {
  const double x = v.real();
  if (x != x) return s.overflow == Overflow::saturate ? 0 : std::numeric_limits<std::int32_t>::min();
  if (s.overflow == Overflow::int_min && !(x >= -2147483648.0 && x < 2147483648.0)) return events |= event::saturated, std::numeric_limits<std::int32_t>::min();
  if (s.overflow == Overflow::saturate && !(x >= -2147483648.0 && x < 2147483648.0)) {
    events |= event::saturated;
    return x < 0 ? std::numeric_limits<std::int32_t>::min() : std::numeric_limits<std::int32_t>::max();
  }
  const RoundedInteger r = to_integer(std::clamp(x, -0x1p61, 0x1p61), s.rounding);
  if (r.lost == Lost::half) events |= event::tie;
  return r.value;
}

}  // namespace

void Requantizer::State::apply(const Step& s, Value& v, std::int64_t channel, Events& events) const {
  using Kind = Value::Kind;
  switch (s.verb) {
    case Verb::bias: {
      const std::int64_t sum = v.i + integer_bias(of(s.a, channel));
      v.i = wrap32(sum);
      if (v.i != sum) events |= event::wrapped;
      return;
    }
    case Verb::bias64: v.i = static_cast<std::int64_t>(Wide{v.i} + rne(std::clamp(of(s.a, channel), -0x1p61, 0x1p61))); return;
    case Verb::to_float: {
      const float f = static_cast<float>(v.i);
      if (static_cast<std::int64_t>(f) != v.i) events |= event::inexact_float;
      v = {Kind::f32, 0, f, 0};
      return;
    }
    case Verb::to_double: v = {Kind::f64, 0, 0, static_cast<double>(v.i)}; return;
    case Verb::multiply:
      if (v.kind == Kind::f32) v.f = v.f * static_cast<float>(of(s.a, channel));
      else if (v.kind == Kind::f64) v.d = v.d * of(s.a, channel);
      return;
    case Verb::divide:
      if (v.kind == Kind::f32) v.f = v.f / static_cast<float>(of(s.a, channel));
      else if (v.kind == Kind::f64) v.d = v.d / of(s.a, channel);
      return;
    case Verb::add:
      if (v.kind == Kind::f32) v.f = v.f + static_cast<float>(of(s.a, channel));
      else if (v.kind == Kind::f64) v.d = v.d + of(s.a, channel);
      else v.i += rne(of(s.a, channel));
      return;
    case Verb::fma:
      if (v.kind == Kind::f32) v.f = fused(static_cast<float>(of(s.a, channel)), static_cast<float>(of(s.b, channel)), v.f);
      else v.d = std::fma(of(s.a, channel), of(s.b, channel), v.d);
      return;
    case Verb::muladd:
      if (v.kind == Kind::f32) v.f = fused(v.f, static_cast<float>(of(s.a, channel)), static_cast<float>(of(s.b, channel)));
      else v.d = std::fma(v.d, of(s.a, channel), of(s.b, channel));
      return;
    case Verb::activation:
      if (v.kind == Kind::f64) {
        if (context().activation == "relu") v.d = v.d > 0 ? v.d : 0;
        else if (context().activation == "leaky_relu") v.d = v.d > 0 ? v.d : v.d * context().negative_slope;
        else if (context().activation == "tanh") v.d = std::tanh(v.d);
      }
      if (v.kind != Kind::f32) return;
      if (context().activation == "relu") v.f = v.f > 0.0f ? v.f : 0.0f;
      else if (context().activation == "leaky_relu") v.f = v.f > 0.0f ? v.f : v.f * static_cast<float>(context().negative_slope);
      else if (context().activation == "tanh") v.f = static_cast<float>(std::tanh(static_cast<double>(v.f)));
      return;
    case Verb::fixed: {
      const FixedRule rule = channel < s.tail_from ? s.fixed : s.tail;
      bool tie = false, wrapped = false;
      const auto scale = static_cast<float>(of(s.a, channel));
      if (rule == FixedRule::rndnu) v.i = multiply_rndnu(v.i, scale, tie);
      else if (rule == FixedRule::rndnu16) v.i = multiply_rndnu16(v.i, scale, tie);
      else if (rule == FixedRule::q8) v.i = multiply_q8(v.i, scale, tie);
      else v.i = multiply_fixed(rule, v.i, of(s.multiplier, channel), tie, wrapped);
      if (tie) events |= event::tie;
      if (wrapped) events |= event::wrapped;
      return;
    }
    case Verb::round: v = {Kind::integer, convert(v, s, events), 0, 0}; return;
    case Verb::zero_point: {
      const double zo = of(s.a, channel);
      if (v.kind == Kind::integer) v.i += static_cast<std::int64_t>(zo);
      else if (v.kind == Kind::f32) v.f = v.f + static_cast<float>(zo);
      else v.d = v.d + zo;
      return;
    }
    case Verb::saturate16: v.i = saturate(v.i, 16); return;
    case Verb::held: {
      const std::int64_t held = s.saturates ? saturate(v.i, s.bits) : wrap(v.i, s.bits);
      if (held != v.i) events |= s.saturates ? event::saturated : event::wrapped;
      v.i = held;
      return;
    }
    case Verb::range: case Verb::clamp: {
      const std::int64_t shift = s.verb == Verb::range ? static_cast<std::int64_t>(of(s.a, channel)) : 0;
      const std::int64_t lo = context().min - shift, hi = context().max - shift;
      if (v.kind == Kind::integer) {
        if (v.i < lo || v.i > hi) events |= event::clamped;
        v.i = std::clamp(v.i, lo, hi);
      } else if (v.kind == Kind::f32) {  // maxps, minps: NaN becomes the bound
        if (v.f < static_cast<float>(lo) || v.f > static_cast<float>(hi)) events |= event::clamped;
        v.f = v.f > static_cast<float>(lo) ? v.f : static_cast<float>(lo);
        v.f = v.f < static_cast<float>(hi) ? v.f : static_cast<float>(hi);
      } else {
        if (v.d < static_cast<double>(lo) || v.d > static_cast<double>(hi)) events |= event::clamped;
        v.d = std::clamp(v.d, static_cast<double>(lo), static_cast<double>(hi));
      }
      return;
    }
  }
}

std::vector<TraceStep> Requantizer::State::trace(Value v, std::int64_t channel) const {
  Events ignored = 0;
  std::vector<TraceStep> all;
  for (const auto& s : steps) {
    apply(*s, v, channel, ignored);
    all.push_back({s->text, show(v)});
  }
  return all;
}

Value Requantizer::State::run(std::int64_t acc, std::int64_t channel, Events& events) const {
  Value v{Value::Kind::integer, acc, 0, 0};
  for (const auto& s : steps) apply(*s, v, channel, events);
  return v;
}

void Requantizer::State::find_paths() {
  // acc [bias] float [add] multiply round:half_even:int_min zero_point (saturate16) clamp
  std::vector<Verb> verbs;
  for (const auto& s : steps)
    if (s->verb != Verb::saturate16) verbs.push_back(s->verb);
  Float32Path path;
  std::size_t i = 0;
  const auto next = [&](Verb verb) { return i < verbs.size() && verbs[i] == verb ? ++i, true : false; };
  const auto step_of = [&](Verb verb) -> const Step& {
    return **std::find_if(steps.begin(), steps.end(), [&](const auto& s) { return s->verb == verb; });
  };
  const auto singles = [](const std::vector<double>& v) { return std::vector<float>(v.begin(), v.end()); };
  if (next(Verb::bias)) {
    const auto& biases = step_of(Verb::bias).a;
    path.bias.resize(biases.size());
    std::transform(biases.begin(), biases.end(), path.bias.begin(), integer_bias);
  }
  bool fits = next(Verb::to_float);
  if (fits && next(Verb::add)) path.addend = singles(step_of(Verb::add).a);
  fits = fits && next(Verb::multiply);
  if (fits) path.multiplier = singles(step_of(Verb::multiply).a);
  path.range = next(Verb::range);
  fits = fits && next(Verb::round) && step_of(Verb::round).rounding == Rounding::half_even && step_of(Verb::round).overflow == Overflow::int_min;
  fits = fits && next(Verb::zero_point) && next(Verb::clamp) && i == verbs.size();
  if (fits) {
    fast = std::move(path);
    return find_block();
  }
  // acc [bias] fixed zero_point (saturate16) clamp
  i = path.bias.empty() ? 0 : 1;
  if (next(Verb::fixed) && next(Verb::zero_point) && next(Verb::clamp) && i == verbs.size()) {
    const Step& s = step_of(Verb::fixed);
    FixedPath as_fixed{s.fixed, s.tail, s.tail_from, s.multiplier, path.bias};
    if (s.fixed == s.tail && (s.fixed == FixedRule::rndnu || s.fixed == FixedRule::q8)) {  // one rounding, half up, of x * m / 2^n
      for (std::size_t c = 0; c < s.a.size(); ++c) as_fixed.multiplier[c] = s.fixed == FixedRule::rndnu ? rndnu_multiplier(static_cast<float>(s.a[c])) : q8_multiplier(static_cast<float>(s.a[c]));
      as_fixed.rule = as_fixed.tail = FixedRule::single;
    }
    fixed = std::move(as_fixed);
  }
  find_block();
}

Requantizer::Requantizer(const std::vector<std::string>& stages, RequantizeContext context, const std::string& place) {
  auto state = std::make_shared<State>();
  state->shared_context = std::make_shared<const RequantizeContext>(std::move(context));
  for (const auto& text : stages)
    if (applies(text, state->context())) state->steps.push_back(std::make_shared<const Step>(compile(text, state->context(), place)));
  state->find_paths();
  state_ = std::move(state);
}

StageBinder::StageBinder(RequantizeContext context, std::string place) : context_(std::make_shared<const RequantizeContext>(std::move(context))), place_(std::move(place)) {}

Requantizer StageBinder::operator()(const std::vector<std::string>& stages) {
  auto state = std::make_shared<Requantizer::State>();
  state->shared_context = context_;
  for (const auto& text : stages) {
    if (!applies(text, *context_)) continue;
    auto& step = steps_[text];
    if (!step) step = std::make_shared<const Step>(compile(text, *context_, place_));
    state->steps.push_back(step);
  }
  Requantizer r;
  r.state_ = std::move(state);
  return r;
}

std::int64_t Requantizer::operator()(std::int64_t acc, std::int64_t channel, Events& events) const {
  const Value v = state_->run(acc, channel, events);
  ensure(v.kind == Value::Kind::integer, "the stages of a quantized output must end in an integer");
  return v.i;
}

float Requantizer::to_float(std::int64_t acc, std::int64_t channel, Events& events) const {
  const Value v = state_->run(acc, channel, events);
  return v.kind == Value::Kind::f32 ? v.f : v.kind == Value::Kind::f64 ? static_cast<float>(v.d) : static_cast<float>(v.i);
}

std::int64_t Requantizer::from_float(float f, std::int64_t channel, Events& events) const {
  Value v{Value::Kind::f32, 0, f, 0};
  for (const auto& s : state_->steps) state_->apply(*s, v, channel, events);
  ensure(v.kind == Value::Kind::integer, "the stages of a quantized output must end in an integer");
  return v.i;
}

std::int64_t Requantizer::with_bias(std::int64_t acc, std::int64_t channel) const {
  Value v{Value::Kind::integer, acc, 0, 0};
  Events ignored = 0;
  for (const auto& s : state_->steps) {
    if (s->verb != Verb::bias && s->verb != Verb::bias64) break;
    state_->apply(*s, v, channel, ignored);
  }
  return v.i;
}

std::vector<TraceStep> Requantizer::trace(std::int64_t acc, std::int64_t channel) const { return state_->trace({Value::Kind::integer, acc, 0, 0}, channel); }
std::vector<TraceStep> Requantizer::trace_from_float(float v, std::int64_t channel) const { return state_->trace({Value::Kind::f32, 0, v, 0}, channel); }

const RequantizeContext& Requantizer::context() const { return state_->context(); }
const Requantizer::Float32Path* Requantizer::float32_path() const { return state_->fast ? &*state_->fast : nullptr; }
const Requantizer::FixedPath* Requantizer::fixed_path() const { return state_->fixed ? &*state_->fixed : nullptr; }

}  // namespace lastbit
