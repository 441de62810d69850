// matmul: y[..., m, n] = requantize(bias[n] + sum_k (a[..., m, k] - za) * (b[..., k, n] - zb[n]))
#include <algorithm>
#include <memory>

#include "lib/error.hpp"
#include "lib/num/int.hpp"
#include "lib/rules/matrix_product.hpp"
#include "lib/rules/unordered_sum.hpp"
#include "lib/rules/pointwise.hpp"
#include "lib/rules/quantize_value.hpp"

namespace lastbit::ops {
namespace {

void check(const Layer& layer) {
  const MatrixProduct p = matrix_product(layer);
  const Tensor& b = layer.in("b");
  for (const char* port : {"a", "b"})
    if (is_float(layer.in(port).dtype)) throw Error(layer.place + ": input \"" + port + "\"", "found " + std::string(name(layer.in(port).dtype)) + ", expected an integer type");
  if (layer.in("a").q.scale.size() > 1) throw Error(layer.place + ": input \"a\"", "found " + std::to_string(layer.in("a").q.scale.size()) + " scales, expected one");
  if (b.q.scale.size() > 1 && (b.rank() == 1 || b.q.group_size > 0 || b.q.axis != b.rank() - (p.transposed ? 2 : 1)))
    throw Error(layer.place + ": input \"b\"", "found scales along axis " + std::to_string(b.q.axis) + ", expected one scale, or one for each of its " + std::to_string(p.N) + " columns");
  if (!layer.has_out("y") && !layer.has_out("accumulator")) throw Error(layer.place, "found no output \"y\" or \"accumulator\", expected one");
  expect_shape(layer, "y", p.shape);
  expect_shape(layer, "accumulator", p.shape);
}

void count_range(Result& r, const std::vector<std::int64_t>& acc) {
  if (acc.empty()) return;
  const auto [lo, hi] = std::minmax_element(acc.begin(), acc.end());
  r.acc_min = *lo, r.acc_max = *hi;
}

// rule accumulate: integers, then the cell's stages.
Result run_integer(const Layer& layer, const Cell& cell, const MatrixProduct& p) {
  Result r;
  Computed whole;
  whole.shape = p.shape;
  const auto size = static_cast<std::size_t>(count(p.shape));
  whole.events.resize(size);
  AccumulationInput in;
  for (std::int64_t batch = 0; batch < p.batches(); ++batch) {
    in = matrix_operands(layer, p, batch);
    const Accumulated one = accumulate_layer(layer, cell, p.geometry(), in);
    std::copy(one.events.begin(), one.events.end(), whole.events.begin() + batch * p.M * p.N);
    whole.acc.insert(whole.acc.end(), one.acc.begin(), one.acc.end());
    r.exact_accumulator &= one.exact;
    r.kernel = one.kernel;
  }
  count_range(r, whole.acc);
  if (layer.has_out("accumulator")) {
    Computed& c = r.outputs["accumulator"] = whole;
    for (const auto v : whole.acc) c.q.push_back(wrap32(v));
    if (!layer.has_out("y")) return r;
  }
  const Requantizer requantize(cell.stages, requantize_context(layer, cell, in, p.N, "b"), layer.place);
  Computed& y = r.outputs["y"] = std::move(whole);
  const bool floats = is_float(layer.out().dtype);
  if (floats) y.f.resize(size);
  else y.q.resize(size);
  for (std::size_t i = 0; i < size; ++i) {
    const std::int64_t n = static_cast<std::int64_t>(i) % p.N;
    if (floats) y.f[i] = requantize.to_float(y.acc[i], n, y.events[i]);
    else y.q[i] = static_cast<std::int32_t>(requantize(y.acc[i], n, y.events[i]));
    y.acc[i] = requantize.with_bias(y.acc[i], n);
  }
  count_range(r, y.acc);
  return r;
}

// rule float_quantize: operands dequantized to float32, a float32 product whose order is not known, quantized by `rounding`.
// Only where both ends of the interval round to the same integer is the answer known.
Result run_float(const Layer& layer, const Cell& cell, const MatrixProduct& p) {
  const Tensor &a = layer.in("a"), &b = layer.in("b"), &out = layer.out();
  if (is_float(out.dtype) || layer.find("bias")) throw Error(layer.place, "found " + std::string(layer.find("bias") ? "a bias" : "a float output") + ", expected none: this runtime's product has none");
  const QuantizeRule rule = quantize_rule(cell.get("rounding", "outside"), layer.place);
  const Range range = activated_range(layer, out);
  std::vector<float> real_a, real_b;
  for (std::int64_t i = 0; i < a.size(); ++i) real_a.push_back(dequantized<float>(a, i));
  for (std::int64_t i = 0; i < b.size(); ++i) real_b.push_back(dequantized<float>(b, i));
  Result r;
  r.kernel = "float";
  Computed& y = r.outputs["y"] = quantized_output(p.shape);
  for (std::int64_t i = 0; i < count(p.shape); ++i) {
    const std::int64_t n = i % p.N, m = i / p.N % p.M, batch = i / p.N / p.M;
    UnorderedSum sum;
    for (std::int64_t k = 0; k < p.K; ++k)
      sum.multiply_add(static_cast<double>(real_a[static_cast<std::size_t>(p.a_index(batch, m, k))]), static_cast<double>(real_b[static_cast<std::size_t>(p.b_index(batch, k, n))]));
    const FloatRange v = range_of(sum);
    Events ignored = 0;
    const auto quantize = [&](float x, Events& e) { return quantize_value(rule, x, out.q.scale_of(0), out.q.zero_point_of(0), range, e); };
    const auto at = static_cast<std::size_t>(i);
    y.q[at] = static_cast<std::int32_t>(quantize(static_cast<float>(sum.value), y.events[at]));
    const std::int64_t lo = quantize(v.lo, ignored), hi = quantize(v.hi, ignored);
    if (lo == hi) continue;
    y.undefined.push_back({i, static_cast<double>(lo), static_cast<double>(hi)});
    y.events[at] |= event::undefined;
  }
  return r;
}

Result run(const Layer& layer, const Cell& cell) {
  const MatrixProduct p = matrix_product(layer);
  return cell.rule == "float_quantize" ? run_float(layer, cell, p) : run_integer(layer, cell, p);
}

Real real(const Layer& layer, const Result&) {
  const auto p = std::make_shared<const MatrixProduct>(matrix_product(layer));
  const Tensor &a = layer.in("a"), &b = layer.in("b"), *bias = layer.find("bias");
  const bool relu = layer.attributes.has("activation") && layer.is("activation:relu") && layer.has_out("y") && is_float(layer.out().dtype);
  return pointwise(count(p->shape), [p, &a, &b, bias, relu]<class T>(std::int64_t i) {
    const std::int64_t n = i % p->N, m = i / p->N % p->M, batch = i / p->N / p->M;
    const double sb = !b.q.quantized() ? 1.0 : b.q.scale_of(n), sa = !a.q.quantized() ? 1.0 : a.q.scale_of(0);
    T sum(0);
    if constexpr (std::is_arithmetic_v<T>) {
      for (std::int64_t k = 0; k < p->K; ++k) sum += dequantized<T>(a, p->a_index(batch, m, k)) * dequantized<T>(b, p->b_index(batch, k, n));
    } else {
      std::int64_t acc = 0;
      for (std::int64_t k = 0; k < p->K; ++k)
        acc += (a.integer(p->a_index(batch, m, k)) - a.q.integer_zero_point()) * (b.integer(p->b_index(batch, k, n)) - b.q.integer_zero_point(n));
      sum = T(acc) * T(sa) * T(sb);
    }
    if (bias) sum += is_float(bias->dtype) ? T(bias->value(n)) : T(bias->value(n)) * (bias->q.quantized() ? T(bias->scale_at(n)) : T(sa) * T(sb));
    return relu ? max(sum, T(0)) : sum;
  });
}

void facts(const Layer& layer, std::set<std::string>& f) {
  const auto& b = layer.in("b").q;
  if (b.axis >= 0 || b.scale.size() > 1) f.insert("per_channel");
  if (b.scale.size() > 1) f.insert("several_scales");
  if (!b.zero_point.empty() && std::any_of(b.zero_point.begin(), b.zero_point.end(), [&](double z) { return z != b.zero_point[0]; })) f.insert("weight_zero_points_differ");
}

}  // namespace

Operator matmul() {
  return {.name = "matmul",
          .families = {},
          .formula = "y[...,m,n] = requantize(bias[n] + alpha * sum_k (a[...,m,k] - za) * (b[...,k,n] - zb[n]))",
          .inputs = {{"a", "uint8, int8, int16 [..., M, K]"}, {"b", "uint8, int8, int16 [..., K, N]; axes before the last two broadcast"}, {"bias", "float32, int32 or int64 [N]", true}},
          .outputs = {{"y", "like a, or float32", true}, {"accumulator", "int32, before requantization", true}},
          .attributes = {{"transpose_b", "true or false: b is [..., N, K]"}, {"activation", "none, relu, relu6 or {min, max}"}, {"alpha", "number: multiplies the product"}},
          .rules = {"accumulate", "float_quantize"},
          .check = check,
          .run = run,
          .real = real,
          .facts = facts};
}

}  // namespace lastbit::ops
