// conv_transpose3d: y[n, o, p] = requantize(bias[o] + sum over c, t with p = i*stride + t*dilation - padding of (x[n, c, i] - zx) * (w[c, o, t] - zw[o]))
#include "lib/rules/accumulation.hpp"
#include "lib/rules/conv_facts.hpp"

namespace lastbit::ops {
namespace {

constexpr int dims = 3;

void check(const Layer& layer) { expect_conv_output(layer, conv_output_shape(conv_geometry(layer, dims, true), dims)); }

Result run(const Layer& layer, const Cell& cell) {
  const Geometry g = conv_geometry(layer, dims, true);
  return run_convolution(layer, cell, g, conv_output_shape(g, dims));
}

Real real(const Layer& layer, const Result& result) {
  const Geometry g = conv_geometry(layer, dims, true);
  return real_convolution(layer, result, g);
}

void facts(const Layer& layer, std::set<std::string>& f) { conv_facts(layer, conv_geometry(layer, dims, true), dims, f); }

}  // namespace

Operator conv_transpose3d() {
  return {.name = "conv_transpose3d",
          .families = {"conv_transpose"},
          .formula = "y[n,o,i*stride+t*dilation-padding] += (x[n,c,i] - zx) * (w[c,o,t] - zw[o]), then bias and requantize",
          .inputs = conv_inputs(dims, true),
          .outputs = {{"y", "like x, or float32", true}, {"accumulator", "int32, before requantization", true}},
          .attributes = conv_attributes(true),
          .rules = {"accumulate", "float"},
          .spatial = true,
          .check = check,
          .run = run,
          .real = real,
          .facts = facts};
}

}  // namespace lastbit::ops
