// amx.hpp: oneDNN's kernels for AMX multiply an accumulator by the product of the scales, those for vectors by one scale after
// the other. Which of the two a layer gets is oneDNN's choice, by size.
#pragma once
#include "lib/rules/accumulation.hpp"

namespace lastbit {

/// Products go to AMX from 257 outputs on, over more than 16 terms. [measured on PyTorch 2.13.0, oneDNN 3.12: every size around
/// both borders, linear and linear_dynamic, per tensor and per channel]
inline bool amx_takes(const Geometry& g) { return g.batch * g.out_channels > 256 && g.terms() > 16; }

/// Facts "amx_product" of a linear layer.
inline void amx_facts(const Geometry& g, std::set<std::string>& f) {
  if (f.count("amx") && amx_takes(g)) f.insert("amx_product");
}

/// The cell's two multiplications by scales as one by their product: its parameter "product".
Cell with_product(Cell);

/// A convolution whose kernel cannot be told from its shape: computed in both orders; where they part, an interval.
Result either_order(const Layer&, const Cell&, const Geometry&, const Shape&);

}  // namespace lastbit
