// as_linear.hpp: a matrix product whose second operand serves all rows is a linear layer, and is streamed as one.
#pragma once
#include <optional>
#include <span>
#include <vector>

#include "lib/dump/stored.hpp"
#include "verifier/evaluate.hpp"
#include "verifier/rivals.hpp"

namespace lastbit {

/// The matmul as a layer of the operator linear: a is x, b is its weight, its bytes where they lie (StoredLayer::inputs) when they are [K, N]; facts, attributes and the rest stay. None for
/// another operator, more than 8 bits, a b of other than two axes, and where a has one axis only.
std::optional<StoredLayer> as_linear(const StoredLayer&);

/// Whether the float form of the matmul is that of the linear layer: an integer bias without a scale stands for bias * (sa * sb), and the
/// two round that product differently.
bool same_float_form(const Layer& matmul);

/// accumulator_bounds() of such a matmul; `linear` is what as_linear() made of it.
std::optional<AccumulatorBounds> stored_matmul_bounds(const Layer& matmul, const StoredLayer& linear, const Cell&);

/// Rivals that are a float product (rule float_quantize) have no bias (lib/ops/matmul.cpp): where the layer has one they cannot be it, and are
/// no longer open.
void rule_out_products_without_bias(const StoredLayer& linear, std::span<const RivalCell>, std::vector<bool>& open);

}  // namespace lastbit
