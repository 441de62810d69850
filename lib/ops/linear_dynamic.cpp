// linear_dynamic: x is quantized at run time, then y[r, o] = float(sum_i (xq[r, i] - zx) * (w[o, i] - zw[o])) * sx * sw[o] + bias[o]
#include <algorithm>
#include <optional>

#include "lib/error.hpp"
#include "lib/num/float.hpp"
#include "lib/rules/amx.hpp"
#include "lib/rules/conv_facts.hpp"
#include "lib/rules/dynamic.hpp"
#include "lib/rules/pointwise.hpp"

namespace lastbit::ops {
namespace {

Shape output_shape(const Layer& layer) {
  Shape s = layer.in("x").shape;
  s.back() = layer.in("weight").dim(0);
  return s;
}

bool per_token(const Layer& layer) { return layer.attributes.boolean("per_token", false); }

void check(const Layer& layer) {
  check_dynamic_input(layer);
  linear_geometry(layer);
  const Tensor& w = layer.in("weight");
  if (is_float(w.dtype)) throw Error(layer.place + ": input \"weight\"", "found " + std::string(name(w.dtype)) + ", expected an integer type");
  if (w.q.group_size > 0 && !per_token(layer)) throw Error(layer.place + ": input \"weight\"", "found scales by group, expected one a channel where x has one scale");
  if (layer.has_out("y") && !is_float(layer.out().dtype)) throw Error(layer.place + ": output \"y\"", "found " + std::string(name(layer.out().dtype)) + ", expected float32");
  expect_shape(layer, "y", output_shape(layer));
}

/// Row r of x minus its zero point: rows may have zero points of their own.
std::vector<std::int32_t> centred(const DynamicInput& x, std::int64_t K) {
  auto q = x.q;
  for (std::size_t i = 0; i < q.size(); ++i) {
    const std::size_t row = x.zero_point.size() == 1 ? 0 : i / static_cast<std::size_t>(K);
    q[i] -= static_cast<std::int32_t>(x.zero_point[row]);
  }
  return q;
}

double row_scale(const DynamicInput& x, std::int64_t row) { return x.scale.size() == 1 ? x.scale[0] : x.scale[static_cast<std::size_t>(row)]; }

/// Columns from..from + n of every row of x and of the weight, as one accumulation; rows have their zero points taken off.
AccumulationInput columns(const std::vector<std::int32_t>& x, const std::vector<std::int32_t>& weights, const Tensor& w, const Geometry& g, std::int64_t from, std::int64_t n) {
  AccumulationInput in;
  const std::int64_t K = g.in_channels;
  for (std::int64_t row = 0; row < g.batch; ++row) in.x.insert(in.x.end(), x.begin() + row * K + from, x.begin() + row * K + from + n);
  for (std::int64_t o = 0; o < g.out_channels; ++o) {
    in.w.insert(in.w.end(), weights.begin() + o * K + from, weights.begin() + o * K + from + n);
    in.w_zero_point.push_back(n ? static_cast<std::int64_t>(w.zero_point_at(o * K + from)) : 0);
  }
  return in;
}

// rule per_token: a scale for every row of x. One scale a channel: acc through the cell's stages. Scales by group g:
// y = f32(sum_g * sx) + bias, where sum_g = fma(f32(acc_g), sw_g, sum_g), or product and sum apart when the cell says groups: muladd.
Result run_per_token(const Layer& layer, const Cell& cell, const DynamicInput& x, const Geometry& g) {
  const Tensor &w = layer.in("weight"), *bias = layer.find("bias");
  const std::int64_t K = g.in_channels, O = g.out_channels, size = w.q.group_size > 0 ? w.q.group_size : std::max<std::int64_t>(K, 1);
  const auto q = centred(x, K);
  const auto weights = w.i32();
  const bool relu = layer.attributes.text("activation", "none") == "relu", fuse = cell.get("groups", "fma") == "fma";
  Result r;
  Computed& y = r.outputs["y"] = float_output(output_shape(layer));
  y.events.resize(y.f.size());
  for (std::int64_t from = 0; from < std::max<std::int64_t>(K, 1); from += size) {
    Geometry group = g;
    group.in_channels = std::min(size, K - from);
    AccumulationInput in = columns(q, weights, w, g, from, group.in_channels);
    const Accumulated a = accumulate_layer(layer, cell, group, in);
    r.exact_accumulator &= a.exact;
    for (std::int64_t row = 0; row < g.batch; ++row) {
      in.x_scale = row_scale(x, row);
      in.x_zero_point = 0;
      std::optional<Requantizer> requantize;
      if (w.q.group_size == 0) requantize.emplace(cell.stages, requantize_context(layer, cell, in, O), layer.place);
      for (std::int64_t o = 0; o < O; ++o) {
        const auto at = static_cast<std::size_t>(row * O + o);
        const std::int64_t acc = a.acc[at];
        if (!a.events.empty()) y.events[at] |= a.events[at];
        r.acc_min = std::min(r.acc_min, acc), r.acc_max = std::max(r.acc_max, acc);
        if (requantize) {
          y.acc.resize(y.f.size());
          y.acc[at] = acc;
          y.f[at] = requantize->to_float(acc, o, y.events[at]);
          continue;
        }
        const float f = static_cast<float>(acc), sw = static_cast<float>(w.scale_at(o * K + from)), product = f * sw;
        y.f[at] = fuse ? fused(f, sw, y.f[at]) : y.f[at] + product;
      }
    }
  }
  if (w.q.group_size == 0) return r;
  for (std::int64_t row = 0; row < g.batch; ++row)
    for (std::int64_t o = 0; o < O; ++o) {
      float& v = y.f[static_cast<std::size_t>(row * O + o)];
      v *= static_cast<float>(row_scale(x, row));
      if (bias) v += static_cast<float>(bias->value(o));
      if (relu && !(v > 0)) v = 0;
    }
  return r;
}

// rule acl: the zero point is no part of the sum, but of a second product, of the sums of the weight's rows (b, where it is given):
// y = fma(f32(-zx * sum_i w[o, i]), s, fma(f32(sum_i xq * w), s, b)), s = f32(sx) * f32(sw).
//   ComputeLibrary src/cpu/operators/CpuGemmLowpMatrixMultiplyCore.cpp (dequantize_scale), kernels/gemmlowp/generic/neon/impl.h
//   (neon_run_offset_contribution_float); PyTorch aten/src/ATen/native/quantized/cpu/qlinear_dynamic.cpp PackedLinearWeightsACL
Result run_acl(const Layer& layer, const Cell& cell, const DynamicInput& x, const Geometry& g) {
  const Layer plain = static_layer(layer, x, layer.op);
  const Tensor* bias = layer.find("bias");
  const AccumulationInput in = read_operands(plain, g);
  AccumulationInput raw = in;
  raw.x_zero_point = 0;
  const std::int64_t K = g.in_channels, O = g.out_channels;
  const Accumulated products = accumulate_layer(plain, cell, g, raw);
  Accumulated a = accumulate_layer(plain, cell, g, in);
  std::vector<float> beside(static_cast<std::size_t>(O));
  for (std::int64_t o = 0; o < O; ++o) {
    std::int64_t sum = 0;
    for (std::int64_t k = 0; k < K; ++k) sum += in.w[static_cast<std::size_t>(o * K + k)];
    beside[static_cast<std::size_t>(o)] = static_cast<float>(wrap32(-in.x_zero_point * sum));
  }
  const float s = static_cast<float>(in.x_scale) * static_cast<float>(layer.in("weight").q.scale_of(0));
  const bool relu = layer.is("activation:relu");
  Result r;
  r.exact_accumulator = a.exact;
  r.kernel = a.kernel;
  Computed& y = r.outputs["y"] = float_output(output_shape(layer));
  y.events = std::move(a.events);
  y.events.resize(y.f.size());
  y.acc = std::move(a.acc);
  for (std::size_t i = 0; i < y.f.size(); ++i) {
    const std::size_t o = i % static_cast<std::size_t>(O);
    const float product = static_cast<float>(products.acc[i]);
    if (static_cast<std::int64_t>(product) != products.acc[i]) y.events[i] |= event::inexact_float;
    const float sum = fused(beside[o], s, bias ? fused(product, s, static_cast<float>(bias->value(static_cast<std::int64_t>(o)))) : product * s);
    y.f[i] = relu && !(sum > 0.0f) ? 0.0f : sum;
    r.acc_min = std::min(r.acc_min, y.acc[i]), r.acc_max = std::max(r.acc_max, y.acc[i]);
  }
  return r;
}

Result run(const Layer& layer, const Cell& cell) {
  const Geometry g = linear_geometry(layer);
  const DynamicInput x = quantize_dynamic_input(layer, cell, layer.in("x"));
  Result r;
  if (per_token(layer)) r = run_per_token(layer, cell, x, g);
  else if (cell.rule == "acl") r = run_acl(layer, cell, x, g);
  else {
    const Layer plain = static_layer(layer, x, layer.op);
    r = run_accumulation(plain, cell, g, read_operands(plain, g), output_shape(layer));
  }
  report_dynamic_input(layer, x, r);
  return r;
}

/// What the quantized x stands for, times the weight: the quantization of x is not an error of y.
Real real(const Layer& layer, const Result& result) {
  const Geometry g = linear_geometry(layer);
  const DynamicInput x = dynamic_input_of(result);
  if (!per_token(layer)) {
    const Layer plain = static_layer(layer, x, layer.op);
    return real_accumulation(plain, result, g, read_operands(plain, g));
  }
  const Tensor &w = layer.in("weight"), *bias = layer.find("bias");
  const std::int64_t K = g.in_channels, O = g.out_channels;
  const bool relu = layer.attributes.text("activation", "none") == "relu";
  auto kept = std::make_shared<const DynamicInput>(x);
  auto q = std::make_shared<const std::vector<std::int32_t>>(centred(x, K));
  return pointwise(g.batch * O, [kept, q, &w, bias, K, O, relu]<class T>(std::int64_t i) {
    const std::int64_t row = i / O, o = i % O;
    T sum(0);
    for (std::int64_t k = 0; k < K; ++k) sum += T((*q)[static_cast<std::size_t>(row * K + k)]) * dequantized<T>(w, o * K + k);
    sum = sum * T(row_scale(*kept, row));
    if (bias) sum += T(bias->value(o));
    return relu ? max(sum, T(0)) : sum;
  });
}

void facts(const Layer& layer, std::set<std::string>& f) {
  if (layer.attributes.has("per_token") && layer.attributes.boolean("per_token")) f.insert("per_token");
  const Geometry g = linear_geometry(layer);
  if (rows_in_eights(g)) f.insert("rows_in_eights");
  amx_facts(g, f);
}

}  // namespace

Operator linear_dynamic() {
  return {.name = "linear_dynamic",
          .families = {},
          .formula = "xq = quantize(x); y[r,o] = sx * sw[o] * sum_i (xq[r,i] - zx) * (w[o,i] - zw[o]) + bias[o]",
          .inputs = {{"x", "float32 [..., I]"}, {"weight", "int8, uint8, int4, uint4 [O, I]"}, {"bias", "float32 [O]", true}},
          .outputs = {{"y", "float32"}, {"x_q", "the quantized input; its qparams are compared too", true}},
          .attributes = {{"reduce_range", "true or false"}, {"activation", "none, relu"}, {"input_scale", "number > 0: fixed, not chosen"}, {"input_zero_point", "integer"}, {"per_token", "true or false: a scale a row"}, {"input_dtype", "uint8, int8"}},
          .rules = {"accumulate", "per_token", "acl"},
          .check = check,
          .run = run,
          .real = real,
          .facts = facts};
}

}  // namespace lastbit::ops
