// conv_operator.hpp: what the six convolution operators are, but for their number of axes and their direction.
#pragma once
#include "lib/rules/accumulation.hpp"
#include "lib/rules/amx.hpp"
#include "lib/rules/conv_facts.hpp"

namespace lastbit {

/// conv1d/2d/3d, or conv_transpose1d/2d/3d when `transposed`. The formula is the operator's own, in its file.
template <int dims, bool transposed>
Operator convolution(std::string name, std::string formula) {
  return {.name = std::move(name),
          .families = {transposed ? "conv_transpose" : "conv"},
          .formula = std::move(formula),
          .inputs = conv_inputs(dims, transposed),
          .outputs = {{"y", "like x, or float32", true}, {"accumulator", "int32, before requantization", true}},
          .attributes = conv_attributes(transposed),
          .rules = {"accumulate", "float", "either_order"},
          .spatial = true,
          .check = [](const Layer& layer) { expect_conv_output(layer, conv_output_shape(conv_geometry(layer, dims, transposed), dims)); },
          .run = [](const Layer& layer, const Cell& cell) {
            const Geometry g = conv_geometry(layer, dims, transposed);
            const Shape shape = conv_output_shape(g, dims);
            return cell.rule == "either_order" ? either_order(layer, cell, g, shape) : run_convolution(layer, cell, g, shape);
          },
          .real = [](const Layer& layer, const Result& result) { return real_convolution(layer, result, conv_geometry(layer, dims, transposed)); },
          .facts = [](const Layer& layer, std::set<std::string>& f) { conv_facts(layer, conv_geometry(layer, dims, transposed), dims, f); }};
}

}  // namespace lastbit
