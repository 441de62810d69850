// sum.hpp: add and sub: two quantized tensors, each with its own scale, to a third.
//
// Rules:
//   aten           AtenKernel over a and b; relu on the float (aten_kernel.hpp)
//   fixed22_away   22-bit multipliers: M = rne(s/so * 2^k), k = 21 - exponent of the larger; one shift, half away (QNNPACK, MLAS on Arm)
//   fixed21_up     21-bit multipliers, one shift, half up (XNNPACK)
//   mlas           v = f32 of a*A + b*B + (zo - za*A - zb*B); zero point inside the rounding. with "order": fma, plain
//   gemmlowp       both shifted left by "left" bits, each scaled to twice the larger scale, summed, scaled back (TFLite);
//                  with "fixed": double_away, single; "vectors" and "inputs": whole vectors of a span do it otherwise
//   acl            Arm Compute Library's fixed point of 11 bits, or floats where that does not fit
#pragma once
#include "lib/layer/operator.hpp"

namespace lastbit {

void check_sum(const Layer&);
/// a + b, or a - b when `sign` is -1.
Result run_sum(const Layer&, const Cell&, int sign);
Real real_sum(const Layer&, int sign);
/// "broadcast": a and b have different shapes; "scalar:a", "scalar:b": one element stands for a whole span; "fixed22": both
/// multipliers lie in [2^-14, 2^8); "alike": both have one shape, of one axis or more; "y_zero_point:max": the largest of its type.
void facts_of_sum(const Layer&, std::set<std::string>&);
extern const std::vector<std::string> sum_rules;

/// How near a rule's last value before it is rounded lies to the real sum, in LSB, at most. Then every element whose real value is farther
/// than near_doubt() from the middle between two integers is the nearest one, clamped to the stored range.
constexpr double sum_doubt = 0x1p-6;
/// How near a cell's rule is for a layer of 8-bit operands: without a fused activation, and the sum of all magnitudes,
/// M = 255 * (sa + sb) / so + 512, at most 2^13, all scales within 2^-60 and 2^60:
///   aten, mlas   at most 16 float32 roundings of what is no larger than M: 16 * M * 2^-24 <= 2^-7
///   fixed22_away, fixed21_up   multipliers of 21 bits and up, each off by half a bit and by its float32 ratio's two roundings: M * 2^-19 <= 2^-6
///   gemmlowp with "left" 20   operands of 20 more bits, each off by at most 2 units of them, times at most 2 * 33 LSB a unit: below 2^-12;
///                the last product is rounded twice, first at 13 bits or more below an LSB
/// and no 16-bit register that they go through is reached. infinite: not known.
double near_doubt(const Layer&, const Cell&);
/// The float form's: the same 16 roundings.
double float_sum_doubt(const Layer&);

}  // namespace lastbit
