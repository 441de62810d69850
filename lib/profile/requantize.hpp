// requantize.hpp: from an accumulator to a stored value, step by step.
//
// In real numbers every runtime computes clamp(acc * si * sw / so + bias / so + zo). They differ only in how the constants
// are held and where something is rounded. A profile lists those steps in order as text; each is one line here:
//
//   bias EXPR             acc += rne(EXPR)              a bias that is an integer in the accumulator (wraps to int32)
//   bias64 EXPR           acc += EXPR                   the same in a 64-bit accumulator
//   float                 x = f32(acc)                  loses bits above 2^24: event inexact_float
//   double                x = f64(acc)
//   multiply EXPR         x = x * EXPR                  one step in x's type
//   divide EXPR           x = x / EXPR                  one step in x's type
//   add EXPR              x = x + EXPR                  one step in x's type
//   fma A ; B             x = fma(A, B, x)              one rounding
//   muladd A ; B          x = fma(x, A, B)              one rounding
//   activation            relu, leaky_relu or tanh on a float x (nothing when none is fused; relu is then a clamp again)
//   fixed RULE EXPR       x = round(x * EXPR)           RULE: a name of FixedRule, num/fixed.hpp
//   fixed R/N/TAIL EXPR   the same by R in whole blocks of N channels (elements), by TAIL in the rest: vector lanes and a loop
//   round MODE OVERFLOW   x = integer(x)                OVERFLOW: int_min (cvtps2dq), saturate (vcvtn), exact
//   zero_point            x += zo                       as an integer, or f32(x + f32(zo)) on a float x
//   saturate16            x = sat16(x)
//   register N-MODEL      x held in N bits: 16-wrap, 16-saturate
//   range                 x clamped to [min - zo, max - zo], before the zero point is added
//   clamp                 x clamped to [min, max]: the stored range and a fused activation's
//
// Names in EXPR: si sw so (scales, float64), zi zo, bias and its scale sb (of the channel; 1 for a float
// bias, si * sw for integers without one), alpha. Stages that name a bias are left out without one.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "lib/layer/layer.hpp"
#include "lib/num/fixed.hpp"
#include "lib/profile/expression.hpp"
#include "lib/profile/profile.hpp"

namespace lastbit {

/// What happened to an element on the way.
namespace event {
enum : std::uint8_t {
  tie = 1, clamped = 2, saturated = 4, wrapped = 8, pair_saturated = 16, inexact_float = 32, undefined = 64,
};
}
using Events = std::uint8_t;

struct TraceStep {
  std::string stage;   // as the profile spells it
  std::string value;   // after the step: an integer, or a float in shortest round-trip form and its exact fraction
};

/// Everything about one layer that requantization needs; the stages are bound to it once.
struct RequantizeContext {
  std::vector<Names> channels;     // si sw so zi zo bias alpha, per output channel (one entry: all alike)
  std::int64_t min = 0, max = 255; // stored range, fused integer activation included
  bool has_bias = false;
  std::string activation = "none"; // relu, relu6 are in min/max; "leaky_relu", "tanh" act on the float
  double negative_slope = 0;
  std::int64_t lanes = 0;          // channels (elements, where the channel is an element's index) that vector blocks run over
};

class Requantizer {
 public:
  /// Throws Error when a stage is not known or an expression has a name that the context lacks. Stages that only add a
  /// bias are skipped when the layer has none.
  Requantizer(const std::vector<std::string>& stages, RequantizeContext, const std::string& place);

  /// acc -> stored integer of the channel; adds to events.
  std::int64_t operator()(std::int64_t acc, std::int64_t channel, Events& events) const;
  /// The same for stages that end in a float (dynamic operators): y as float32.
  float to_float(std::int64_t acc, std::int64_t channel, Events& events) const;
  /// The same of many accumulators, events aside: sums[k] is of the channel or, along channels, of channel + k. Stored integers, or
  /// what to_float() gives; values has room for as many.
  void values(std::span<const std::int64_t> sums, std::int64_t channel, bool along_channels, bool to_float, double* values) const;
  /// For stages that begin with a float: v -> stored integer of the channel.
  std::int64_t from_float(float v, std::int64_t channel, Events& events) const;
  /// The accumulator that requantization starts from: an integer bias added.
  std::int64_t with_bias(std::int64_t acc, std::int64_t channel) const;
  std::vector<TraceStep> trace(std::int64_t acc, std::int64_t channel) const;
  std::vector<TraceStep> trace_from_float(float v, std::int64_t channel) const;
  const RequantizeContext& context() const;

  /// If the whole pipeline is acc (+ integer bias) -> f32 -> [+ add] -> * multiplier -> rne -> + zo -> clamp, its constants,
  /// for vector epilogues; null otherwise.
  struct Float32Path {
    std::vector<float> multiplier, addend;  // per channel; addend empty when there is none
    std::vector<std::int64_t> bias;         // integer bias per channel; empty when none
    bool range = false;                     // clamped by a `range` stage before the rounding
  };
  const Float32Path* float32_path() const;
  /// The same for acc (+ integer bias) -> fixed RULE -> + zo -> clamp. rndnu and q8 come as the `single` they equal.
  struct FixedPath {
    FixedRule rule{}, tail{};
    std::int64_t tail_from = 0;             // channels from here on take `tail`
    std::vector<FixedMultiplier> multiplier;
    std::vector<std::int64_t> bias;
  };
  const FixedPath* fixed_path() const;

  struct State;
  const State& state() const { return *state_; }  // requantize_steps.hpp

 private:
  friend class StageBinder;
  Requantizer() = default;
  std::shared_ptr<const State> state_;
};

namespace requantizing { struct Step; }

/// Many lists of stages on the same context: a stage that several have is bound once. For single values: what it makes has no paths, and
/// values() goes through the scalar stages.
class StageBinder {
 public:
  StageBinder(RequantizeContext, std::string place);
  /// Throws Error as Requantizer's constructor does.
  Requantizer operator()(const std::vector<std::string>& stages);
  const RequantizeContext& context() const { return *context_; }

 private:
  std::shared_ptr<const RequantizeContext> context_;
  std::string place_;
  std::map<std::string, std::shared_ptr<const requantizing::Step>> steps_;
};

}  // namespace lastbit
