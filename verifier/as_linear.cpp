// as_linear.cpp: see as_linear.hpp.
#include "verifier/as_linear.hpp"

#include <algorithm>
#include <utility>

#include "lib/rules/worst_case.hpp"
#include "verifier/stored_bounds.hpp"
#include "verifier/stored_plan.hpp"

namespace lastbit {

std::optional<StoredLayer> as_linear(const StoredLayer& stored) {
  const Layer& l = stored.layer;
  if (l.op != "matmul" || !stored.inputs.empty() || !stored.outputs.empty()) return std::nullopt;
  const Tensor &a = l.in("a"), &b = l.in("b");
  const auto bytes = [](const Tensor& t) { return !is_float(t.dtype) && info(t.dtype).bits <= 8 && t.size() > 0; };
  if (!bytes(a) || !bytes(b) || a.rank() < 2 || b.rank() != 2 || b.q.group_size > 0 || a.q.scale.size() > 1) return std::nullopt;
  StoredLayer s{l, {}, {}};
  s.layer.op = "linear";
  s.layer.inputs.erase("a");
  s.layer.inputs.erase("b");
  s.layer.attributes.values.erase("transpose_b");
  s.layer.inputs["x"] = a;
  Tensor weight = b;
  if (!l.attributes.boolean("transpose_b", false)) {  // [K, N] for [N, K]
    std::swap(weight.shape[0], weight.shape[1]);
    if (b.q.axis >= 0) weight.q.axis = 1 - b.q.axis;
    weight.stored_axes = {1, 0};
    weight.data = nullptr;
    s.inputs["weight"] = b.data;
  }
  s.layer.inputs["weight"] = std::move(weight);
  return s;
}

bool same_float_form(const Layer& matmul) {
  if (matmul.attributes.number("alpha", 1.0) != 1.0) return false;
  const Tensor* bias = matmul.find("bias");
  if (!bias || is_float(bias->dtype) || bias->q.quantized()) return true;
  for (std::int64_t i = 0; i < bias->size(); ++i)
    if (bias->integer(i) != 0) return false;
  return true;
}

std::optional<AccumulatorBounds> stored_matmul_bounds(const Layer& matmul, const StoredLayer& linear, const Cell& cell) {
  if (matmul.in("b").q.axis >= 0) {  // weights
    if (linear.inputs.empty()) return stored_bounds(linear, cell);
    StoredLayer ordered{linear.layer, {}, {}};
    Tensor& weight = ordered.layer.inputs.at("weight");
    weight = turned(weight, linear.inputs.at("weight"));
    return stored_bounds(ordered, cell);
  }
  if (cell.rule != "accumulate") return std::nullopt;
  // Activations: every term at a corner of both ranges.
  const Tensor &a = matmul.in("a"), &b = matmul.in("b");
  const std::int64_t K = a.dim(-1), N = linear.layer.in("weight").dim(0), za = a.q.integer_zero_point(), zb = b.q.integer_zero_point();
  const std::int64_t corners[] = {(a.q.qmin - za) * (b.q.qmin - zb), (a.q.qmin - za) * (b.q.qmax - zb), (a.q.qmax - za) * (b.q.qmin - zb), (a.q.qmax - za) * (b.q.qmax - zb)};
  const auto [lo, hi] = std::minmax_element(std::begin(corners), std::end(corners));
  const AccumulationInput in = numbers_of(linear.layer, *accumulation_geometry(linear.layer));
  const auto bias = integer_biases(cell.stages, requantize_context(matmul, cell, in, N, "b"), N, matmul.place);
  const auto [least, most] = std::minmax_element(bias.begin(), bias.end());
  return AccumulatorBounds{K * *lo + (bias.empty() ? 0 : *least), K * *hi + (bias.empty() ? 0 : *most)};
}

void rule_out_products_without_bias(const StoredLayer& linear, std::span<const RivalCell> rivals, std::vector<bool>& open) {
  if (!linear.layer.find("bias")) return;
  for (std::size_t k = 0; k < rivals.size(); ++k)
    if (rivals[k].cell.rule == "float_quantize") open[k] = false;
}

}  // namespace lastbit
