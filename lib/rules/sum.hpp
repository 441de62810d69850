// sum.hpp: add and sub: two quantized tensors, each with its own scale, to a third.
//
// Rules:
//   aten           AtenKernel over a and b; relu on the float (aten_kernel.hpp)
//   fixed22_away   22-bit multipliers: M = rne(s/so * 2^k), k = 21 - exponent of the larger; one shift, half away (QNNPACK, MLAS on Arm)
//   fixed21_up     21-bit multipliers, one shift, half up (XNNPACK)
//   mlas           v = f32 of a*A + b*B + (zo - za*A - zb*B); zero point inside the rounding. with "order": fma, plain
//   gemmlowp       both shifted left by "left" bits, each scaled to twice the larger scale, summed, scaled back (TFLite);
//                  with "fixed": double_away, single; "vectors" and "inputs": whole vectors of a span do it otherwise
#pragma once
#include "lib/layer/operator.hpp"

namespace lastbit {

void check_sum(const Layer&);
/// a + b, or a - b when `sign` is -1.
Result run_sum(const Layer&, const Cell&, int sign);
Real real_sum(const Layer&, int sign);
/// "broadcast": a and b have different shapes; "scalar:a", "scalar:b": one element stands for a whole span; "fixed22": both
/// multipliers lie in [2^-14, 2^8).
void facts_of_sum(const Layer&, std::set<std::string>&);
extern const std::vector<std::string> sum_rules;

}  // namespace lastbit
