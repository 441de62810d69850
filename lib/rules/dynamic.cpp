// dynamic.cpp: see dynamic.hpp.
#include "lib/rules/dynamic.hpp"

#include <cmath>

#include "lib/error.hpp"
#include "lib/profile/expression.hpp"
#include "lib/rules/choose_qparams.hpp"
#include "lib/rules/quantize_value.hpp"
#include "lib/rules/vector_width.hpp"

namespace lastbit {

Quantization DynamicInput::qparams() const {
  Quantization all{.scale = scale, .zero_point = {zero_point.begin(), zero_point.end()}};
  all.qmin = info(dtype).min, all.qmax = info(dtype).max;
  return all;
}

void check_dynamic_input(const Layer& layer) {
  const Tensor& x = layer.in("x");
  if (!is_float(x.dtype)) throw Error(layer.place + ": input \"x\"", "found " + std::string(name(x.dtype)) + ", expected a float type");
  const std::string dtype = layer.attributes.text("input_dtype", "uint8");
  if (dtype != "uint8" && dtype != "int8") throw Error(layer.place + ": attribute \"input_dtype\"", "found \"" + dtype + "\", expected uint8 or int8");
  if (layer.attributes.has("input_scale")) {
    const double scale = layer.attributes.number("input_scale");
    if (!(scale > 0x1p-150 && scale < 0x1.ffffffp127)) throw Error(layer.place + ": attribute \"input_scale\"", "found " + std::to_string(scale) + ", expected a positive number that float32 can hold");
    const std::int64_t z = layer.attributes.integer("input_zero_point", 0);
    const auto& range = info(*dtype_named(dtype));
    if (z < range.min || z > range.max) throw Error(layer.place + ": attribute \"input_zero_point\"", "found " + std::to_string(z) + ", expected a value of " + dtype);
  }
  expect_shape(layer, "x_q", x.shape);
}

DynamicInput quantize_dynamic_input(const Layer& layer, const Cell& cell, const Tensor& x) {
  const auto values = x.f32();
  const bool reduced = layer.attributes.boolean("reduce_range", false) && cell.get("reduce_range", "honoured") == "honoured";
  DynamicInput in;
  in.dtype = *dtype_named(layer.attributes.text("input_dtype", cell.get("input_dtype", "uint8")));
  const Range whole{info(in.dtype).min, info(in.dtype).max}, over = reduced ? Range{whole.min / 2, whole.max / 2} : whole;
  const auto n = static_cast<std::int64_t>(values.size());
  const std::int64_t run = layer.attributes.boolean("per_token", false) && x.rank() > 0 ? x.dim(-1) : n;
  const std::string expression = cell.get("quantize_scale");
  const QuantizeRule rule = quantize_rule(cell.get("rounding", "outside"), layer.place);
  const QuantizeRule tail = cell.get("tail").empty() ? rule : quantize_rule(cell.get("tail"), layer.place);
  const auto whole_vectors = static_cast<std::size_t>(n - n % vector_width(layer, cell, 1));
  in.q.reserve(values.size());
  for (std::int64_t start = 0; start < n; start += run) {
    const std::span row(values.data() + start, static_cast<std::size_t>(run));
    ChosenQparams chosen;
    if (layer.attributes.has("input_scale")) chosen = {layer.attributes.number("input_scale"), layer.attributes.integer("input_zero_point", 0)};
    else chosen = choose_qparams(cell.get("choose", "pytorch"), row, over.min, over.max, layer.place);
    in.scale.push_back(chosen.scale);
    in.zero_point.push_back(chosen.zero_point);
    const double scale = chosen.inverse ? *chosen.inverse : expression.empty() ? chosen.scale : Expression::parse(expression, layer.place).evaluate({{"si", chosen.scale}}).value;
    for (const float v : row) {
      Events ignored = 0;
      in.q.push_back(static_cast<std::int32_t>(quantize_value(in.q.size() < whole_vectors ? rule : tail, v, scale, static_cast<double>(chosen.zero_point), whole, ignored)));
    }
  }
  if (in.scale.empty()) in.scale = {1}, in.zero_point = {0};  // nothing to quantize
  return in;
}

Layer static_layer(const Layer& layer, const DynamicInput& x, std::string op, const std::optional<Quantization>& y) {
  Layer other = layer;
  other.op = std::move(op);
  other.inputs["x"] = Tensor::of_integers("x", x.dtype, layer.in("x").shape, x.qparams(), x.q);
  if (y) {
    const Shape& shape = layer.out().shape;
    other.outputs["y"] = Tensor::of_integers("y", x.dtype, shape, *y, std::vector<std::int32_t>(static_cast<std::size_t>(count(shape))));
  }
  return other;
}

void report_dynamic_input(const Layer& layer, const DynamicInput& x, Result& r) {
  Computed& q = r.outputs["x_q"];
  q.shape = layer.in("x").shape;
  q.q = x.q;
  q.chosen = x.qparams();
}

DynamicInput dynamic_input_of(const Result& r) {
  const Computed& q = r.outputs.at("x_q");
  DynamicInput x{q.q, q.chosen->scale, {}, q.chosen->qmin < 0 ? DType::int8 : DType::uint8};
  for (const double z : q.chosen->zero_point) x.zero_point.push_back(static_cast<std::int64_t>(z));
  return x;
}

}  // namespace lastbit
