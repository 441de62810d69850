// gates.hpp: the float32 functions of recurrent layers, as every float32 that a library may return.
//
// Which library runs depends on the position in a vector and on the build: SLEEF (expf and tanhf "u10": 1.0 ulp), the C library
// (glibc: expf 1 ulp, tanhf 2 ulp) or MKL (1 ulp). The steps between are single float32 operations, rounded correctly and
// therefore monotone: a range goes through them by its ends.
#pragma once
#include "lib/rules/float_sum.hpp"

namespace lastbit {

FloatRange operator+(FloatRange, FloatRange);
FloatRange operator*(FloatRange, FloatRange);

/// 1 / (1 + exp(-x)), three steps; exp within 1 ulp.
FloatRange sigmoid_range(float x);
/// tanh within 2 ulp, for every value of the range.
FloatRange tanh_range(FloatRange x);

/// One LSTM element: c' = f * c + i * g, h' = o * tanh(c'), from the four sums of its gates.
struct LstmStep {
  FloatRange h, c;
};
LstmStep lstm_step(float i, float f, float g, float o, FloatRange c);

/// One GRU element: n = tanh(ig + r * hg), h' = (h - n) * z + n; r and z are sums of their gates, ig and hg apart.
FloatRange gru_step(float r, float z, float input, float hidden, float h);

}  // namespace lastbit
