// sleef.hpp: SLEEF's float32 functions (the u10 ones, with fused multiply-add), step by step: ATen's vectors call them, and
// their last bit decides stored values. Equal to PyTorch 2.13.0's on all of 6.3M float32 values each (read from qint32 outputs).
#pragma once

namespace lastbit::sleef {

/// sleefsimdsp.c xexpf: x - q*ln2 in two fused steps, a polynomial of degree 7, times 2^q.
float expf(float x);
/// xexpm1f: a double-float exp (expk2f) less 1; -1 below -16.6355323.
float expm1f(float x);
/// xtanhf: (e^x - e^-x) / (e^x + e^-x) in double-floats; 1 above 8.664339742.
float tanhf(float x);

}  // namespace lastbit::sleef
