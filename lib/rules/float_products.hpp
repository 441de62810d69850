// float_products.hpp: the float form of everything that accumulates, through Eigen.
#pragma once
#include "lib/rules/accumulation.hpp"

namespace lastbit {

/// Fills r.f32 and r.f64: operands dequantized to float32 (float64), products added in the order of the terms (taps
/// ascending, channel fastest), the bias added last. Vectorized over output channels alone, so that no host or instruction
/// set changes a bit.
void float_products(const Layer&, const Geometry&, const AccumulationInput&, Real& r);

}  // namespace lastbit
