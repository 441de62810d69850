// dynamic_convolution.cpp: conv1d_dynamic, conv2d_dynamic, conv3d_dynamic, which differ in their axes alone.
//
// ATen runs the static convolution with the scale and zero point of its input for its output too, then dequantizes that: what
// lies outside the input's range is cut off.
#include "lib/rules/conv_facts.hpp"
#include "lib/rules/dynamic.hpp"
#include "lib/rules/pointwise.hpp"

namespace lastbit {
namespace {

template <int dims>
std::string plain_name() { return "conv" + std::to_string(dims) + "d"; }

template <int dims>
void check(const Layer& layer) {
  check_dynamic_input(layer);
  expect_shape(layer, "y", conv_output_shape(conv_geometry(layer, dims, false), dims));
}

template <int dims>
Result run(const Layer& layer, const Cell& cell) {
  const DynamicInput x = quantize_dynamic_input(layer, cell, layer.in("x"));
  const Layer plain = static_layer(layer, x, plain_name<dims>(), x.qparams());
  const Geometry g = conv_geometry(plain, dims, false);
  Result r = run_convolution(plain, cell, g, conv_output_shape(g, dims));
  Computed& y = r.outputs.at("y");
  const float scale = static_cast<float>(x.scale[0]);
  for (const auto q : y.q) y.f.push_back(scale * static_cast<float>(q - x.zero_point[0]));
  y.q.clear();
  report_dynamic_input(layer, x, r);
  return r;
}

/// The convolution itself, not cut off.
template <int dims>
Real real(const Layer& layer, const Result& result) {
  const Layer plain = static_layer(layer, dynamic_input_of(result), plain_name<dims>());
  const Geometry g = conv_geometry(plain, dims, false);
  return real_accumulation(plain, result, g, read_operands(plain, g));
}

template <int dims>
void facts(const Layer& layer, std::set<std::string>& f) { conv_facts(layer, conv_geometry(layer, dims, false), dims, f); }

template <int dims>
Operator made() {
  auto attributes = conv_attributes(false);
  attributes.push_back({"reduce_range", "true or false"});
  auto inputs = conv_inputs(dims, false);
  inputs[0].what = "float32 [N, C, spatial]";
  return {.name = plain_name<dims>() + "_dynamic",
          .families = {"conv_dynamic"},
          .formula = "xq = quantize(x); y = dequantize(conv(xq) written with the scale and zero point of xq)",
          .inputs = inputs,
          .outputs = {{"y", "float32"}, {"x_q", "the quantized input", true}},
          .attributes = attributes,
          .rules = {"accumulate"},
          .spatial = true,
          .check = check<dims>,
          .run = run<dims>,
          .real = real<dims>,
          .facts = facts<dims>};
}

}  // namespace

Operator dynamic_convolution(int dims) { return dims == 1 ? made<1>() : dims == 2 ? made<2>() : made<3>(); }

}  // namespace lastbit
