// conv2d_add: y = requantize(activation(conv2d(x) + (a - za) * sa)): a convolution and an addition, rounded once
#include "lib/error.hpp"
#include "lib/num/float.hpp"
#include "lib/profile/expression.hpp"
#include "lib/rules/accumulation.hpp"
#include "lib/rules/conv_facts.hpp"
#include "lib/rules/pointwise.hpp"

namespace lastbit::ops {
namespace {

constexpr int dims = 2;

void check(const Layer& layer) {
  const Shape shape = conv_output_shape(conv_geometry(layer, dims, false), dims);
  const Tensor& a = layer.in("a");
  if (is_float(a.dtype) || !a.q.quantized()) throw Error(layer.place + ": input \"a\"", "found " + std::string(name(a.dtype)) + ", expected quantized integers");
  if (a.shape != shape) throw Error(layer.place + ": input \"a\"", "found the shape " + to_string(a.shape) + ", expected the output's " + to_string(shape));
  if (is_float(layer.out().dtype)) throw Error(layer.place + ": output \"y\"", "found " + std::string(name(layer.out().dtype)) + ", expected an integer type");
  expect_shape(layer, "y", shape);
}

// t = the cell's stages (a float in real units, bias added); t = fma(f32(a - za), sum_scale, t); relu;
// y = rne(clamp(f32(f32(t * inverse) + zo))). Cell parameters: sum_scale (an expression over sa), inverse (over so), sum (fused, separate), divisor (over so: divided by, in the
// place of the inverse).
Result run(const Layer& layer, const Cell& cell) {
  const Geometry g = conv_geometry(layer, dims, false);
  const AccumulationInput in = read_operands(layer, g);
  Accumulated acc = accumulate_layer(layer, cell, g, in);
  const std::int64_t channels = g.groups * g.out_channels, P = g.positions();
  const Requantizer to_real(cell.stages, requantize_context(layer, cell, in, channels), layer.place);
  const Tensor &a = layer.in("a"), &out = layer.out();
  const float sum_scale = static_cast<float>(Expression::parse(cell.get("sum_scale"), layer.place).evaluate({{"sa", a.q.scale_of(0)}}).value);
  const std::string divisor = cell.get("divisor");
  const float scale = static_cast<float>(Expression::parse(divisor.empty() ? cell.get("inverse") : divisor, layer.place).evaluate({{"so", out.q.scale_of(0)}}).value);
  const Range range = stored_range(out);
  const float zo = static_cast<float>(out.q.zero_point_of(0)), lo = static_cast<float>(range.min), hi = static_cast<float>(range.max);
  const bool relu = layer.is("activation:relu"), separate = cell.get("sum", "fused") == "separate";
  Result r;
  r.exact_accumulator = acc.exact;
  r.kernel = acc.kernel;
  Computed& y = r.outputs["y"] = quantized_output(out.shape);
  if (!acc.events.empty()) y.events = acc.events;
  y.acc = std::move(acc.acc);
  for (std::size_t i = 0; i < y.q.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    r.acc_min = std::min(r.acc_min, y.acc[i]), r.acc_max = std::max(r.acc_max, y.acc[i]);
    const float added = static_cast<float>(a.integer(at) - a.q.integer_zero_point());
    const float sum = added * sum_scale, conv = to_real.to_float(y.acc[i], at / P % channels, y.events[i]);
    float t = separate ? conv + sum : fused(added, sum_scale, conv);
    if (relu) t = t > 0.0f ? t : 0.0f;
    const float scaled = divisor.empty() ? t * scale : t / scale, moved = scaled + zo;
    if (moved < lo || moved > hi) y.events[i] |= event::clamped;
    const RoundedInteger q = to_integer(static_cast<double>(moved < lo ? lo : moved > hi ? hi : moved), Rounding::half_even);
    if (q.lost == Lost::half) y.events[i] |= event::tie;
    y.q[i] = static_cast<std::int32_t>(q.value);
  }
  return r;
}

Real real(const Layer& layer, const Result& result) {
  const Geometry g = conv_geometry(layer, dims, false);
  Real r = real_accumulation(layer, result, g, read_operands(layer, g));
  const Tensor& a = layer.in("a");
  const bool relu = layer.is("activation:relu");
  for (std::size_t i = 0; i < r.f32.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    r.f32[i] += dequantized<float>(a, at);
    r.f64[i] += dequantized<double>(a, at);
    const Tracked sum = Tracked(r.approx[i], r.bound[i]) + dequantized<Tracked>(a, at);
    r.approx[i] = sum.value;
    r.bound[i] = sum.error;
    if (relu) r.f32[i] = max(r.f32[i], 0.0f), r.f64[i] = max(r.f64[i], 0.0), r.approx[i] = max(r.approx[i], 0.0);
  }
  r.exact = [inner = r.exact, &a, relu](std::int64_t i) {
    const Exact v = inner(i) + dequantized<Exact>(a, i);
    return relu ? max(v, Exact(0)) : v;
  };
  return r;
}

void facts(const Layer& layer, std::set<std::string>& f) {
  conv_facts(layer, conv_geometry(layer, dims, false), dims, f);
  if (const auto& q = layer.in("a").q; q.quantized() && q.integer_zero_point() == 0) f.insert("a_zero_point:0");
}

}  // namespace

Operator conv2d_add() {
  auto inputs = conv_inputs(dims, false);
  inputs.push_back({"a", "uint8, int8, like y"});
  return {.name = "conv2d_add",
          .families = {},
          .formula = "y = requantize(activation(conv2d(x, weight, bias) + (a - za) * sa))",
          .inputs = inputs,
          .outputs = {{"y", "like x"}},
          .attributes = conv_attributes(false),
          .rules = {"accumulate"},
          .spatial = true,
          .check = check,
          .run = run,
          .real = real,
          .facts = facts};
}

}  // namespace lastbit::ops
