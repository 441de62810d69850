// linear_dynamic: x is quantized at run time, then y[r, o] = float(sum_i (xq[r, i] - zx) * (w[o, i] - zw[o])) * sx * sw[o] + bias[o]
#include "lib/error.hpp"
#include "lib/rules/dynamic.hpp"

namespace lastbit::ops {
namespace {

Shape output_shape(const Layer& layer) {
  Shape s = layer.in("x").shape;
  s.back() = layer.in("weight").dim(0);
  return s;
}

void check(const Layer& layer) {
  if (!is_float(layer.in("x").dtype)) throw Error(layer.place + ": input \"x\"", "found " + std::string(name(layer.in("x").dtype)) + ", expected a float type");
  linear_geometry(layer);
  expect_shape(layer, "y", output_shape(layer));
  expect_shape(layer, "x_q", layer.in("x").shape);
}

AccumulationInput operands(const Layer& layer, const Geometry& g, const DynamicInput& x) {
  AccumulationInput in = read_operands(layer, g);
  in.x = x.q;
  in.x_scale = x.scale;
  in.x_zero_point = x.zero_point;
  in.x_dtype = DType::uint8;
  return in;
}

Result run(const Layer& layer, const Cell& cell) {
  const Geometry g = linear_geometry(layer);
  const DynamicInput x = quantize_dynamic_input(layer, cell, layer.in("x"));
  Result r = run_accumulation(layer, cell, g, operands(layer, g, x), output_shape(layer));
  if (layer.has_out("x_q")) {
    Computed& q = r.outputs["x_q"];
    q.shape = layer.in("x").shape;
    q.q = x.q;
    q.chosen = Quantization{.scale = {x.scale}, .zero_point = {static_cast<double>(x.zero_point)}};
  }
  return r;
}


}  // namespace

Operator linear_dynamic() {
  return {.name = "linear_dynamic",
          .families = {},
          .formula = "xq = quantize(x); y[r,o] = sx * sw[o] * sum_i (xq[r,i] - zx) * (w[o,i] - zw[o]) + bias[o]",
          .inputs = {{"x", "float32 [..., I]"}, {"weight", "int8, uint8, int4 [O, I]"}, {"bias", "float32 [O]", true}},
          .outputs = {{"y", "float32"}, {"x_q", "the quantized input", true}},
          .attributes = {{"reduce_range", "true or false"}, {"activation", "none, relu"}, {"input_scale", "number: fixed, not chosen"}, {"input_zero_point", "integer"}, {"per_token", "true or false"}, {"input_dtype", "uint8, int8"}},
          .rules = {"accumulate"},
          .check = check,
          .run = run,
          .real = nullptr};
}

}  // namespace lastbit::ops
