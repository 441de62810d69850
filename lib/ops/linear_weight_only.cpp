// linear_weight_only: y[r, o] = sum_i x[r, i] * ((w[o, i] - zw) * sw + weight_bias) + bias[o], in floats
#include <algorithm>
#include <bit>

#include "lib/error.hpp"
#include "lib/num/round.hpp"
#include "lib/rules/accumulation.hpp"
#include "lib/rules/pointwise.hpp"
#include "lib/rules/unordered_sum.hpp"

namespace lastbit::ops {
namespace {

Shape output_shape(const Layer& layer) {
  Shape s = layer.in("x").shape;
  s.back() = layer.in("weight").dim(0);
  return s;
}

std::int64_t group_of(const Tensor& w) { return w.q.group_size > 0 ? w.q.group_size : std::max<std::int64_t>(w.dim(1), 1); }
std::int64_t groups_of(const Tensor& w) { return (w.dim(1) + group_of(w) - 1) / group_of(w); }

void check(const Layer& layer) {
  if (!is_float(layer.in("x").dtype)) throw Error(layer.place + ": input \"x\"", "found " + std::string(name(layer.in("x").dtype)) + ", expected a float type");
  linear_geometry(layer);
  const Tensor& w = layer.in("weight");
  if (is_float(w.dtype) || !w.q.quantized()) throw Error(layer.place + ": input \"weight\"", "found " + std::string(name(w.dtype)) + ", expected quantized integers");
  if (const Tensor* b = layer.find("weight_bias"); b && b->shape != Shape{w.dim(0), groups_of(w)})
    throw Error(layer.place + ": input \"weight_bias\"", "found the shape " + to_string(b->shape) + ", expected " + to_string({w.dim(0), groups_of(w)}));
  if (const Tensor* b = layer.find("bias"); b && b->size() != w.dim(0))
    throw Error(layer.place + ": input \"bias\"", "found " + std::to_string(b->size()) + " elements, expected " + std::to_string(w.dim(0)));
  const std::string compute = layer.attributes.text("compute", "float32"), activation = layer.attributes.text("activation", "none");
  if (compute != "float32" && compute != "bfloat16") throw Error(layer.place + ": attribute \"compute\"", "found \"" + compute + "\", expected float32 or bfloat16");
  if (activation != "none" && activation != "relu") throw Error(layer.place + ": attribute \"activation\"", "found \"" + activation + "\", expected none or relu");
  const std::int64_t level = layer.attributes.integer("accuracy_level", 0);
  if (level < 0 || level > 4) throw Error(layer.place + ": attribute \"accuracy_level\"", "found " + std::to_string(level) + ", expected 0 to 4");
  expect_shape(layer, "y", output_shape(layer));
}

/// Nearest bfloat16, ties to even: the upper half of a float32.
float bfloat16(float v) {
  if (v != v) return v;
  const auto bits = std::bit_cast<std::uint32_t>(v);
  return std::bit_cast<float>((bits + 0x7fffu + (bits >> 16 & 1u)) & 0xffff0000u);
}

/// rule float: every float32 step in an unknown order. A weight passes through two roundings (product, weight_bias) before its
/// K products and sums. A zero point in floating point is multiplied by the scale and then taken off (MLAS, sqnbitgemm.cpp).
UnorderedSum float_row(const std::vector<double>& x, const Tensor& w, const Tensor* shift, std::int64_t row, std::int64_t o) {
  const std::int64_t K = w.dim(1), size = group_of(w), groups = groups_of(w);
  UnorderedSum sum;
  for (std::int64_t k = 0; k < K; ++k) {
    const std::int64_t at = o * K + k;
    const double a = x[static_cast<std::size_t>(row * K + k)], scale = static_cast<double>(static_cast<float>(w.scale_at(at))), code = static_cast<double>(w.integer(at));
    if (w.q.float_zero_point) {
      sum.multiply_add(a, code * scale);
      sum.multiply_add(a, -w.zero_point_at(at) * scale);
      --sum.roundings;
    } else {
      sum.multiply_add(a, (code - w.zero_point_at(at)) * scale);
    }
    if (!shift) continue;
    sum.multiply_add(a, shift->value(o * groups + k / size));
    --sum.roundings;  // one term in the sum; its own addition is counted below
  }
  sum.roundings += (shift ? 2 : 1) + (w.q.float_zero_point ? 1 : 0);
  return sum;
}

/// rule int8_blocks: x is quantized by blocks of the weight's groups: s = f32(max|x| / 127), q = rne(f32(x * f32(127 / max|x|))); with "inverse":
/// of_scale (NEON, 4 bits that KleidiAI does not take) q = f32(x * f32(1 / s)) to nearest, halves away from zero. With "moved": 128 (NEON, 8 bits)
/// the dots are of q + 128, and floats take off what that adds.
/// Integer dots are exact; floats: three steps for a block's scale, a sum over blocks in each of up to 16 lanes, the sum of the
/// lanes, and the zero points' part, another sum over blocks.
UnorderedSum block_row(const std::vector<double>& x, const Tensor& w, bool of_scale, double moved, std::int64_t row, std::int64_t o) {
  const std::int64_t K = w.dim(1), size = group_of(w), groups = groups_of(w);
  UnorderedSum sum;
  for (std::int64_t from = 0; from < K; from += size) {
    const std::int64_t to = std::min(from + size, K);
    float most = 0;
    for (std::int64_t k = from; k < to; ++k) most = std::max(most, static_cast<float>(std::fabs(x[static_cast<std::size_t>(row * K + k)])));
    if (most == 0.0f) continue;
    const float scale = most / 127.0f, inverse = of_scale ? 1.0f / scale : 127.0f / most;
    double dot = 0, size_of_dot = 0;
    for (std::int64_t k = from; k < to; ++k) {
      const float v = static_cast<float>(x[static_cast<std::size_t>(row * K + k)]) * inverse;
      const double q = static_cast<double>(to_integer(static_cast<double>(v), of_scale ? Rounding::half_away : Rounding::half_even).value), code = static_cast<double>(w.integer(o * K + k)), zero = w.zero_point_at(o * K + k);
      dot += q * (code - zero);
      size_of_dot += (std::fabs(q) + 2 * moved) * (std::fabs(code) + std::fabs(zero));
    }
    const double unit = static_cast<double>(scale) * static_cast<double>(static_cast<float>(w.scale_at(o * K + from)));
    sum.value += unit * dot;
    sum.magnitude += std::fabs(unit) * size_of_dot;
  }
  sum.roundings = 2 * groups + 20;
  return sum;
}

/// rule int8_rows: KleidiAI's. A row of x is quantized whole, its range stretched to hold 0: t = 255 / (max - min), q = clamp(round(x * t) + z),
/// halves away from zero; z is -128 - min * t or 127 - max * t, whichever end errs less, to nearest even; what q stands for is (q - z) * f32(1 / t). Scales of weights lose the
/// lower half of their float32. Integer dots are exact; floats: a block's scale, the sum over blocks, z's part, the row's scale.
struct QuantizedRow {
  std::vector<double> q;
  double zero_point = 0, scale = 1;
};
QuantizedRow quantized_row(const std::vector<double>& x, std::int64_t row, std::int64_t K) {
  float low = 0, high = 0;
  for (std::int64_t k = 0; k < K; ++k) {
    const auto v = static_cast<float>(x[static_cast<std::size_t>(row * K + k)]);
    low = std::min(low, v), high = std::max(high, v);
  }
  const float range = high - low, t = range == 0.0f ? 1.0f : 255.0f / range, from_low = low * t, from_high = high * t;
  const float low_error = -128.0f + from_low, high_error = 127.0f + from_high, errors = low_error + high_error;
  const float z = errors > 0 ? -128.0f - from_low : 127.0f - from_high;
  QuantizedRow r;
  r.zero_point = static_cast<double>(rne(static_cast<double>(std::clamp(z, -128.0f, 127.0f))));
  r.scale = static_cast<double>(1.0f / t);
  for (std::int64_t k = 0; k < K; ++k) {
    const float v = static_cast<float>(x[static_cast<std::size_t>(row * K + k)]) * t;
    r.q.push_back(std::clamp(static_cast<double>(to_integer(static_cast<double>(v), Rounding::half_away).value) + r.zero_point, -128.0, 127.0));
  }
  return r;
}
UnorderedSum whole_row(const QuantizedRow& x, const Tensor& w, std::int64_t o) {
  const std::int64_t K = w.dim(1), size = group_of(w);
  UnorderedSum sum;
  for (std::int64_t from = 0; from < K; from += size) {
    double dot = 0, codes = 0;
    for (std::int64_t k = from; k < std::min(from + size, K); ++k) {
      const double code = static_cast<double>(w.integer(o * K + k)) - w.zero_point_at(o * K + k);
      dot += x.q[static_cast<std::size_t>(k)] * code, codes += code;
    }
    const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(w.scale_at(o * K + from))) & 0xffff0000u;
    const double unit = static_cast<double>(std::bit_cast<float>(bits)) * x.scale;
    sum.value += unit * (dot - x.zero_point * codes);
    sum.magnitude += std::fabs(unit) * (std::fabs(dot) + std::fabs(x.zero_point * codes));
  }
  sum.roundings = 2 * groups_of(w) + 8;
  return sum;
}

Result run(const Layer& layer, const Cell& cell) {
  const Tensor &w = layer.in("weight"), *shift = layer.find("weight_bias"), *bias = layer.find("bias");
  const auto x = layer.in("x").f64();
  const bool blocks = cell.rule == "int8_blocks", of_scale = cell.get("inverse") == "of_scale", rows = cell.rule == "int8_rows", half = layer.attributes.text("compute", "float32") == "bfloat16", relu = layer.attributes.text("activation", "none") == "relu";
  if ((blocks || rows) && shift) throw Error(layer.place + ": input \"weight_bias\"", "found one, expected none where x is quantized");
  const double moved = cell.get("moved") == "128" ? 128 : 0;
  const Geometry g = linear_geometry(layer);
  Result r;
  r.kernel = "float";
  Computed& y = r.outputs["y"] = float_output(output_shape(layer));
  for (std::int64_t row = 0; row < g.batch; ++row) {
    const QuantizedRow of_row = rows ? quantized_row(x, row, g.in_channels) : QuantizedRow{};
    for (std::int64_t o = 0; o < g.out_channels; ++o) {
      UnorderedSum sum = rows ? whole_row(of_row, w, o) : blocks ? block_row(x, w, of_scale, moved, row, o) : float_row(x, w, shift, row, o);
      if (bias) sum.add(bias->value(o));
      FloatRange v = range_of(sum);
      if (relu) v = {std::max(v.lo, 0.0f), std::max(v.hi, 0.0f)};
      if (half) v = {bfloat16(v.lo), bfloat16(v.hi)};
      put(y, row * g.out_channels + o, v);
    }
  }
  return r;
}

Real real(const Layer& layer, const Result&) {
  const Tensor &x = layer.in("x"), &w = layer.in("weight"), *shift = layer.find("weight_bias"), *bias = layer.find("bias");
  const Geometry g = linear_geometry(layer);
  const std::int64_t K = g.in_channels, O = g.out_channels, size = group_of(w), groups = groups_of(w);
  const bool relu = layer.attributes.text("activation", "none") == "relu";
  return pointwise(g.batch * O, [=, &x, &w]<class T>(std::int64_t i) {
    const std::int64_t row = i / O, o = i % O;
    T sum(0);
    for (std::int64_t k = 0; k < K; ++k) {
      T v = dequantized<T>(w, o * K + k);
      if (shift) v = v + T(shift->value(o * groups + k / size));
      sum += T(x.value(row * K + k)) * v;
    }
    if (bias) sum += T(bias->value(o));
    return relu ? max(sum, T(0)) : sum;
  });
}

void facts(const Layer& layer, std::set<std::string>& f) {
  if (layer.attributes.has("accuracy_level")) f.insert("accuracy_level:" + std::to_string(layer.attributes.integer("accuracy_level")));
  if (const Tensor* w = layer.find("weight"); w && w->q.float_zero_point) f.insert("float_zero_point");
  // KleidiAI takes whole blocks of 32s from MLAS: "kleidiai"; "kleidiai_rows" where the model gives no zero points, which are 8 then
  // (qnbitgemm_kernel_neon.cpp, UseKleidiAI).
  if (const Tensor* w = layer.find("weight"); w && info(w->dtype).bits == 4 && w->rank() == 2 && w->q.group_size > 0 && w->q.group_size % 32 == 0 && w->dim(1) % w->q.group_size == 0)
    f.insert(std::all_of(w->q.zero_point.begin(), w->q.zero_point.end(), [](double z) { return z == 8; }) ? "kleidiai_rows" : "kleidiai");
  // MLAS multiplies 2-bit weights by an int8 x only in blocks of these sizes.
  if (const Tensor* w = layer.find("weight"); w && info(w->dtype).bits == 2 && (w->q.group_size < 32 || w->q.group_size > 128)) f.insert("float_blocks");
}

}  // namespace

Operator linear_weight_only() {
  return {.name = "linear_weight_only",
          .families = {},
          .formula = "y[r,o] = sum_i x[r,i] * ((w[o,i] - zw) * sw + weight_bias) + bias[o]",
          .inputs = {{"x", "float32, float16 [..., I]"}, {"weight", "uint4, int4, uint8, int8 [O, I], one scale a channel or a group"}, {"weight_bias", "float32 [O, groups]", true}, {"bias", "float32 [O]", true}},
          .outputs = {{"y", "float32"}},
          .attributes = {{"compute", "float32, bfloat16"}, {"accuracy_level", "integer 0 to 4 (ONNX Runtime); 4 quantizes x by blocks"}, {"activation", "none, relu"}},
          .rules = {"float", "int8_blocks", "int8_rows"},
          .check = check,
          .run = run,
          .real = real,
          .facts = facts};
}

}  // namespace lastbit::ops
