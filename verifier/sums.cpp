// sums.cpp: see sums.hpp.
#include "verifier/sums.hpp"

#include <algorithm>
#include <limits>

#include "lib/rules/dynamic.hpp"
#include "lib/rules/matrix_product.hpp"
#include "verifier/evaluate.hpp"

namespace lastbit {
namespace {

/// What x may be once it is quantized at run time.
///
/// The whole range: zero points at both ends. A reduced range 0..m: the input's extent is m scales, so where the zero point and
/// both ends are rounded away from each other x - zero point may span m + 1; that is 1 at one side and m at the other or any
/// split between, and the sum is linear in the split. The nearest even halves are 2 and m - 1.
std::vector<InputRange> chosen_ranges(const Layer& layer, const Cell& cell) {
  const DType dtype = *dtype_named(layer.attributes.text("input_dtype", "uint8"));
  const auto& whole = info(dtype);
  if (layer.attributes.has("input_scale")) return {{layer.attributes.integer("input_zero_point", 0), whole.min, whole.max}};
  if (!layer.attributes.boolean("reduce_range", false) || cell.get("reduce_range", "honoured") != "honoured") return {{whole.min, whole.min, whole.max}, {whole.max, whole.min, whole.max}};
  const std::int64_t lo = whole.min / 2, hi = whole.max / 2;
  return {{lo, lo, hi}, {hi, lo, hi}, {lo + 2, lo, hi + 1}, {hi - 1, lo, hi + 1}};
}

/// One row of x has a zero point of its own: taken off, so that one accumulation serves all rows.
void take_zero_points_off(const DynamicInput& x, std::int64_t row, AccumulationInput& in) {
  if (x.zero_point.size() <= 1) return;
  for (std::size_t i = 0; i < in.x.size(); ++i) in.x[i] -= static_cast<std::int32_t>(x.zero_point[i / static_cast<std::size_t>(row)]);
  in.x_zero_point = 0;
  in.x_scale = *std::max_element(x.scale.begin(), x.scale.end());
}

void split_by_groups(const Tensor& w, LayerSums& s) {
  const Sums whole = std::move(s.parts[0]);
  s.parts.clear();
  const std::int64_t K = whole.g.in_channels, O = whole.g.out_channels, size = w.q.group_size;
  for (std::int64_t from = 0; from < K; from += size) {
    const std::int64_t n = std::min(size, K - from);
    Sums part;
    part.g = whole.g;
    part.g.in_channels = n;
    part.terms_from = from;
    part.in = whole.in;
    part.in.x.clear(), part.in.w.clear(), part.in.w_zero_point.clear();
    for (std::int64_t row = 0; row < whole.g.batch; ++row) part.in.x.insert(part.in.x.end(), whole.in.x.begin() + row * K + from, whole.in.x.begin() + row * K + from + n);
    for (std::int64_t o = 0; o < O; ++o) {
      part.in.w.insert(part.in.w.end(), whole.in.w.begin() + o * K + from, whole.in.w.begin() + o * K + from + n);
      part.in.w_zero_point.push_back(static_cast<std::int64_t>(w.zero_point_at(o * K + from)));
    }
    s.parts.push_back(std::move(part));
  }
}

std::int64_t corner(bool maximum, const InputRange& a, std::int64_t b_lo, std::int64_t b_hi) {
  const std::int64_t lo = a.min - a.zero_point, hi = a.max - a.zero_point;
  const auto all = {lo * b_lo, lo * b_hi, hi * b_lo, hi * b_hi};
  return maximum ? std::max(all) : std::min(all);
}

}  // namespace

bool may_have_sums(const Layer& layer, const Cell& cell) {
  if (cell.rule.find("float") != std::string::npos || cell.rule == "int8_blocks" || cell.rule == "per_step") return false;
  return layer.op == "matmul" || accumulation_geometry(layer);
}

std::optional<LayerSums> sums_of(const Layer& layer, const Operator&, const Cell& cell) {
  if (!may_have_sums(layer, cell)) return std::nullopt;
  LayerSums s;
  s.cell = cell;
  if (layer.op == "matmul") {
    s.layer = layer;
    s.weight = "b";
    const MatrixProduct p = matrix_product(layer);
    for (std::int64_t batch = 0; batch < p.batches(); ++batch) s.parts.push_back({p.geometry(), matrix_operands(layer, p, batch), batch * p.M * p.N, 0});
    if (s.parts.empty() || p.M == 0 || p.N == 0) return std::nullopt;
    const Tensor &a = layer.in("a"), &b = layer.in("b");
    s.x = {{a.q.integer_zero_point(), a.q.qmin, a.q.qmax}};
    if (b.q.axis < 0) s.free = InputRange{b.q.integer_zero_point(), b.q.qmin, b.q.qmax};  // activations have one scale
    s.channels = p.N;
  } else {
    const auto g = accumulation_geometry(layer);
    if (!g || g->batch == 0) return std::nullopt;
    const Tensor& x = layer.in("x");
    if (is_float(x.dtype)) {
      const DynamicInput q = quantize_dynamic_input(layer, cell, x);
      s.layer = static_layer(layer, q, layer.op);
      s.parts.push_back({*g, read_operands(s.layer, *g), 0, 0});
      take_zero_points_off(q, std::max<std::int64_t>(g->in_channels, 1), s.parts[0].in);
      s.x = chosen_ranges(layer, cell);
    } else {
      s.layer = layer;
      s.parts.push_back({*g, read_operands(layer, *g), 0, 0});
      s.x = {{x.q.integer_zero_point(), x.q.qmin, x.q.qmax}};
    }
    s.channels = g->groups * g->out_channels;
    s.positions = g->positions();
    if (layer.in("weight").q.group_size > 0) split_by_groups(layer.in("weight"), s);
  }
  s.context = requantize_context(s.layer, cell, s.parts[0].in, s.channels, s.weight);
  s.bias = integer_biases(cell.stages, s.context, s.channels, layer.place);
  return s;
}

std::vector<SumBounds> worst_case(const LayerSums& s, bool b_is_input) {
  std::vector<SumBounds> all(static_cast<std::size_t>(s.channels));
  bool first = true;
  const auto take = [&](std::size_t o, const Extreme& lo, const Extreme& hi) {
    if (first || lo.value < all[o].min.value) all[o].min = lo;
    if (first || hi.value > all[o].max.value) all[o].max = hi;
  };
  if (s.free && b_is_input) {  // every term at the same corner of both ranges
    const std::int64_t K = s.parts[0].g.terms(), b_lo = s.free->min - s.free->zero_point, b_hi = s.free->max - s.free->zero_point;
    for (std::size_t o = 0; o < all.size(); ++o) {
      const std::int64_t b = s.bias.empty() ? 0 : s.bias[o];
      take(o, {b + K * corner(false, s.x[0], b_lo, b_hi), 0, 0, 0}, {b + K * corner(true, s.x[0], b_lo, b_hi), 0, 0, 0});
    }
    return all;
  }
  for (std::size_t part = 0; part < s.parts.size(); ++part)
    for (std::size_t range = 0; range < s.x.size(); ++range) {
      AccumulationInput in = s.parts[part].in;
      in.x_zero_point = s.x[range].zero_point;
      const auto bounds = worst_case(s.parts[part].g, in, s.x[range].min, s.x[range].max, s.bias);
      for (std::size_t o = 0; o < all.size(); ++o) take(o, {bounds[o].min, part, range, bounds[o].min_position}, {bounds[o].max, part, range, bounds[o].max_position});
      first = false;
    }
  return all;
}

}  // namespace lastbit
