// int16_table.hpp: the tables TFLite interpolates for int16 tensors.
#pragma once
#include <array>
#include <cstdint>

#include "lib/layer/layer.hpp"

namespace lastbit {

/// sigmoid and tanh from one table of sigmoid(i / 24) in 0.16, linear between entries
/// (reference/integer_ops/logistic.h, tanh.h). `scale` is the input's.
std::int32_t table_sigmoid16(std::int32_t q, float scale);
std::int32_t table_tanh16(std::int32_t q, float scale);

/// k if the float32 x is 2^k within 0.1 percent of an octave, as TFLite's CheckedLog2 decides.
struct PowerOfTwo {
  bool is;
  int exponent;
};
PowerOfTwo power_of_two(float x);

/// 513 values of a function over a range, each moved by half the error of the interpolation at its midpoint (LUTPopulate).
struct Table512 {
  std::array<std::int32_t, 513> values;
  std::int32_t operator()(std::int32_t q) const;  // -32768..32767 -> interpolated
};
Table512 exp_table();               // e^x, x in [-10, 0], in 0.15
Table512 one_over_one_plus_table(); // 1 / (1 + x), x in [0, 1], in 0.15

/// "x_4096ths", "x_2048ths": the input's scale is 2^-12, 2^-11 (as power_of_two finds).
void power_of_two_facts(const Layer&, std::set<std::string>&);

}  // namespace lastbit
