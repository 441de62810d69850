// twin_rules.hpp: the rational twins of rules that are not the stages of one accumulator. Each rule's steps are read from the
// runtime's source once more (docs/profiles.md names it), in rational numbers, with windows and vectors counted here.
#pragma once
#include <map>
#include <optional>
#include <vector>

#include "lib/layer/operator.hpp"

namespace lastbit {

/// Stored values by element; none where a step leaves the rationals.
using TwinValues = std::vector<std::optional<std::int64_t>>;

/// add, sub, mul, quantize, requantize through float32, relu, relu6, hardtanh, clamp, leaky_relu, hardswish. Nothing where the rule has no twin, or the layer's
/// shapes or memory order make its vectors another question (broadcasting, channels last).
std::optional<TwinValues> twin_elementwise(const Layer&, const Cell&);
/// avg_pool1d, 2d, 3d and mean.
std::optional<TwinValues> twin_windows(const Layer&, const Cell&);

/// One float32 to a stored value by a rule of lib/rules/quantize_value.hpp; nothing for a rule that it does not know.
std::optional<std::int64_t> quantized_rationally(const std::string& rule, const Exact& x, double scale, std::int64_t zero_point, Range);

/// acc -> stored value by stages, in rationals, with constants read once.
class RationalStages {
 public:
  RationalStages(std::vector<std::string> stages, RequantizeContext context) : stages_(std::move(stages)), context_(std::move(context)) {}
  std::optional<std::int64_t> operator()(std::int64_t acc, std::int64_t channel = 0);

 private:
  std::vector<std::string> stages_;
  RequantizeContext context_;
  std::map<std::pair<std::string, std::int64_t>, Exact> constants_;
};

}  // namespace lastbit
