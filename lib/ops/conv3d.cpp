// conv3d: y[n, o, p] = requantize(bias[o] + sum over taps t, channels c of (x[n, c, p*stride + t*dilation - padding] - zx) * (w[o, c, t] - zw[o]))
#include "lib/rules/accumulation.hpp"
#include "lib/rules/conv_facts.hpp"

namespace lastbit::ops {
namespace {

constexpr int dims = 3;

void check(const Layer& layer) { expect_conv_output(layer, conv_output_shape(conv_geometry(layer, dims, false), dims)); }

Result run(const Layer& layer, const Cell& cell) {
  const Geometry g = conv_geometry(layer, dims, false);
  return run_convolution(layer, cell, g, conv_output_shape(g, dims));
}

Real real(const Layer& layer, const Result& result) {
  const Geometry g = conv_geometry(layer, dims, false);
  return real_convolution(layer, result, g);
}

void facts(const Layer& layer, std::set<std::string>& f) { conv_facts(layer, conv_geometry(layer, dims, false), dims, f); }

}  // namespace

Operator conv3d() {
  return {.name = "conv3d",
          .families = {"conv"},
          .formula = "y[n,o,p] = requantize(bias[o] + sum_tc (x[n,c,p*stride+t*dilation-padding] - zx) * (w[o,c,t] - zw[o]))",
          .inputs = conv_inputs(dims, false),
          .outputs = {{"y", "like x, or float32", true}, {"accumulator", "int32, before requantization", true}},
          .attributes = conv_attributes(false),
          .rules = {"accumulate", "float"},
          .spatial = true,
          .check = check,
          .run = run,
          .real = real,
          .facts = facts};
}

}  // namespace lastbit::ops
