// requantize_steps.hpp: stages bound to a layer's constants, as requantize.cpp runs them on one value and requantize_block.cpp on many.
#pragma once
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "lib/num/round.hpp"
#include "lib/profile/requantize.hpp"

namespace lastbit {
namespace requantizing {

enum class Verb { bias, bias64, to_float, to_double, multiply, divide, add, fma, muladd, activation, fixed, round, zero_point, saturate16, held, range, clamp };
enum class Overflow { int_min, saturate, exact };

struct Step {
  Verb verb;
  std::string text;
  FixedRule fixed{}, tail{};             // the rule of whole blocks, and of the channels from `tail_from` on
  std::int64_t tail_from = 0;
  Rounding rounding{};
  Overflow overflow{};
  std::vector<double> a, b;              // constants per channel (or one)
  std::vector<FixedMultiplier> multiplier;
  int bits = 0;                          // of a register
  bool saturates = false;
};

/// The value on its way: an integer, a float32 or a float64.
struct Value {
  enum class Kind { integer, f32, f64 } kind = Kind::integer;
  std::int64_t i = 0;
  float f = 0;
  double d = 0;
  double real() const { return kind == Kind::f32 ? static_cast<double>(f) : d; }
};

template <class T>
const T& of(const std::vector<T>& v, std::int64_t channel) {
  return v.size() == 1 ? v[0] : v[static_cast<std::size_t>(channel)];
}

/// What the stage `bias` adds: the nearest integer that int32 holds, ties to even.
inline std::int64_t integer_bias(double b) { return rne(std::clamp(b, -2147483648.0, 2147483647.0)); }

/// A stage bound to the constants of the context. Throws Error as Requantizer does.
Step compile(const std::string& text, const RequantizeContext&, const std::string& place);
/// Whether the layer has what the stage adds.
inline bool applies(const std::string& stage, const RequantizeContext& context) { return context.has_bias || stage.find("bias") == std::string::npos; }

}  // namespace requantizing

struct Requantizer::State {
  std::shared_ptr<const RequantizeContext> shared_context;
  std::vector<std::shared_ptr<const requantizing::Step>> steps;
  std::optional<Float32Path> fast;
  std::optional<FixedPath> fixed;
  bool in_blocks = false;                // the steps are of the kinds that values() runs block by block
  bool open = false;                     // and a clamp lets everything through that a block's numbers hold

  const RequantizeContext& context() const { return *shared_context; }

  void apply(const requantizing::Step&, requantizing::Value&, std::int64_t channel, Events&) const;
  std::vector<TraceStep> trace(requantizing::Value v, std::int64_t channel) const;
  requantizing::Value run(std::int64_t acc, std::int64_t channel, Events&) const;
  void find_paths();
  void find_block();
};

}  // namespace lastbit
