// linear: y[r, o] = requantize(bias[o] + sum_i (x[r, i] - zx) * (w[o, i] - zw[o]))
#include "lib/rules/accumulation.hpp"
#include "lib/rules/amx.hpp"
#include "lib/rules/conv_facts.hpp"

namespace lastbit::ops {
namespace {

Shape output_shape(const Layer& layer) {
  Shape s = layer.in("x").shape;
  s.back() = layer.in("weight").dim(0);
  return s;
}

void check(const Layer& layer) {
  linear_geometry(layer);
  expect_conv_output(layer, output_shape(layer));
}

// Cell parameter multiplier: below_one, where the runtime reads a multiplier that it never set once si * sw / so is 1 or more: no element
// is known then.
Result run(const Layer& layer, const Cell& cell) {
  Result r = run_convolution(layer, cell, linear_geometry(layer), output_shape(layer));
  if (cell.get("multiplier") != "below_one" || !layer.has_out("y")) return r;
  const Tensor& y = layer.out("y");
  if (static_cast<float>(layer.in("x").q.scale_of(0) * layer.in("weight").q.scale_of(0) / y.q.scale_of(0)) < 1.0f) return r;
  Computed& computed = r.outputs["y"];
  const auto& range = info(y.dtype);
  computed.events.resize(computed.q.size());
  for (std::size_t i = 0; i < computed.q.size(); ++i) {
    computed.events[i] |= event::undefined;
    computed.undefined.push_back({static_cast<std::int64_t>(i), static_cast<double>(range.min), static_cast<double>(range.max)});
  }
  return r;
}

Real real(const Layer& layer, const Result& result) {
  const Geometry g = linear_geometry(layer);
  return real_convolution(layer, result, g);
}

void facts(const Layer& layer, std::set<std::string>& f) {
  const Geometry g = linear_geometry(layer);
  if (is_gemv(g)) f.insert("gemv");
  if (const auto& q = layer.in("x").q; q.quantized() && q.integer_zero_point() == 0) f.insert("x_zero_point:0");
  if (rows_in_eights(g)) f.insert("rows_in_eights");
  amx_facts(g, f);
}

}  // namespace

Operator linear() {
  return {.name = "linear",
          .families = {},
          .formula = "y[r,o] = requantize(bias[o] + alpha * sum_i (x[r,i] - zx) * (w[o,i] - zw[o]))",
          .inputs = {{"x", "uint8, int8, int16 [..., I]"}, {"weight", "int8, uint8, int4, int16 [O, I]"}, {"bias", "float32, int32 or int64 [O]", true}},
          .outputs = {{"y", "like x, or float32", true}, {"accumulator", "int32, before requantization", true}},
          .attributes = {{"activation", "none, relu, relu6, leaky_relu, tanh or {min, max}"}, {"negative_slope", "number, of leaky_relu"}, {"alpha", "number: multiplies the product (ONNX Gemm)"}, {"bias_dtype", "int32, int64: of int16 layers"}, {"variant", "decomposed, float (PT2E)"}},
          .rules = {"accumulate", "float"},
          .check = check,
          .run = run,
          .real = real,
          .facts = facts};
}

}  // namespace lastbit::ops
