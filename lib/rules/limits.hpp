// limits.hpp: relu, relu6, hardtanh, clamp: a value kept between two real bounds.
//
// Rules:
//   clamp    the integers themselves: min(max(q, lo), hi); the output has the input's qparams
//   stages   q - zx requantized by the cell's stages, then kept in [lo, hi]
// lo and hi are the bounds quantized to the output by rule "bound" of quantize_value.hpp.
#pragma once
#include <optional>

#include "lib/layer/operator.hpp"

namespace lastbit {

struct Limits {
  std::optional<double> lo, hi;
};

void check_limits(const Layer&, const Limits&);
Result run_limits(const Layer&, const Cell&, const Limits&);
Real real_limits(const Layer&, const Limits&);

/// One input x and one output y of the same shape, integers of at most 16 bits with one scale each.
void check_activation(const Layer&);
/// "equal_qparams": the output's are the input's. "y_256ths": the output's scale is 1/256 and its zero point 0. "y_128ths": 1/128 and 128.
void output_facts(const Layer&, std::set<std::string>&);
/// si, so, zi, zo and the output's range for stages over x - zi.
RequantizeContext activation_context(const Layer&, Range);

}  // namespace lastbit
