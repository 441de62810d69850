// stored_plan.cpp: see stored_plan.hpp.
#include "verifier/stored_plan.hpp"

#include <algorithm>
#include <array>

#include "lib/kernels/columns.hpp"
#include "lib/kernels/layout.hpp"
#include "lib/tensor/scratch.hpp"
#include "verifier/evaluate.hpp"

namespace lastbit {
namespace {

/// Weights of a transposed convolution, [I, O/g, taps] -> [O, I/g, taps].
std::vector<std::byte> turned(const Geometry& g, const std::byte* w, std::size_t width) {
  const std::int64_t T = g.taps(), C = g.in_channels, O = g.out_channels;
  std::vector<std::byte> to(static_cast<std::size_t>(g.groups * C * O * T) * width);
  const std::size_t run = static_cast<std::size_t>(T) * width;
  for (std::int64_t group = 0; group < g.groups; ++group)
    for (std::int64_t c = 0; c < C; ++c)
      for (std::int64_t o = 0; o < O; ++o)
        std::copy_n(w + static_cast<std::size_t>((group * C + c) * O + o) * run, run, to.data() + static_cast<std::size_t>((group * O + o) * C + c) * run);
  return to;
}

/// The bytes of a port, and whether they are channels last.
const std::byte* bytes_of(const Tensor& t, const std::map<std::string, const std::byte*>& stored, const std::string& port, bool& last, std::vector<Tensor>& held) {
  const auto at = stored.find(port);
  last = at != stored.end() && channels_last(t);
  if (at == stored.end()) return t.data;
  if (last) return at->second;
  held.push_back(in_order(t, at->second));
  return held.back().data;
}

/// As read_operands() has them.
std::vector<std::int64_t> weight_zero_points(const Tensor& w, const Geometry& g) {
  const auto n = static_cast<std::int64_t>(w.q.zero_point.size());
  if (n <= 1) return {w.q.integer_zero_point()};
  std::vector<std::int64_t> all(static_cast<std::size_t>(g.groups * g.out_channels));
  for (std::int64_t c = 0; auto& z : all) z = w.q.integer_zero_point(g.transposed ? c % n : c), ++c;
  return all;
}

}  // namespace

bool reads_bytes(const Layer& layer) {
  static constexpr std::array<std::string_view, 7> ops{"linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"};
  if (std::find(ops.begin(), ops.end(), layer.op) == ops.end()) return false;
  const Tensor &x = layer.in("x"), &w = layer.in("weight");
  return !is_float(x.dtype) && !is_float(w.dtype) && info(x.dtype).bits <= 8 && info(w.dtype).bits <= 8 && w.q.group_size == 0;
}

AccumulationInput numbers_of(const Layer& layer, const Geometry& g) {
  const Tensor& x = layer.in("x");
  AccumulationInput in;
  in.x_zero_point = x.q.integer_zero_point();
  in.x_dtype = x.dtype;
  in.x_scale = x.q.quantized() ? x.q.scale_of(0) : 1;
  in.w_zero_point = weight_zero_points(layer.in("weight"), g);
  return in;
}

std::int64_t taps_inside(const Geometry& g, int axis, std::int64_t o) {
  std::int64_t n = 0;
  for (std::int64_t t = 0; t < g.kernel[static_cast<std::size_t>(axis)]; ++t) n += g.source(axis, o, t) >= 0;
  return n;
}

bool plain_register(const Cell& cell) {
  return cell.rule == "accumulate" && cell.get("pairs", "none") == "none" && cell.get("accumulator", "int32") == "int32" && cell.get("register").empty() && cell.get("bounds").empty() && cell.get("tail_rule").empty();
}

Tensor turned(const Tensor& weight, const std::byte* stored) {
  const std::int64_t N = weight.dim(0), K = weight.dim(1);
  if (K % 4 != 0) return in_order(weight, stored);  // lay_planes() writes four channels at a time
  auto bytes = shared_memory(static_cast<std::size_t>(K * N));
  lay_planes(stored, K, N, K, bytes.get());
  Tensor t = weight;
  t.data = bytes.get();
  t.owner = std::move(bytes);
  return t;
}

std::optional<StoredPlan> plan_of(const StoredLayer& stored, const Cell& cell, bool by_channel) {
  const Layer& layer = stored.layer;
  if (!reads_bytes(layer) || !plain_register(cell)) return std::nullopt;
  if (layer.outputs.size() != 1 || !layer.has_out("y") || layer.out().size() == 0) return std::nullopt;
  const Tensor &x = layer.in("x"), &w = layer.in("weight"), &y = layer.out();
  if (is_float(y.dtype) || info(y.dtype).bits > 8) return std::nullopt;
  StoredPlan p;
  Geometry& g = p.request.geometry;
  g = *accumulation_geometry(layer);
  StoredOperands& in = p.request.operands;
  const AccumulationInput numbers = numbers_of(layer, g);
  in.x_dtype = x.dtype;
  in.w_dtype = w.dtype;
  in.x_zero_point = numbers.x_zero_point;
  p.w_zero_point = numbers.w_zero_point;
  in.w_zero_point = p.w_zero_point;
  in.x = bytes_of(x, stored.inputs, "x", in.channels_last, p.held);
  if (g.transposed) {
    const auto at = stored.inputs.find("weight");
    const Tensor ordered = at == stored.inputs.end() ? w : in_order(w, at->second);
    p.weights = turned(g, ordered.data, 1);
    in.w = p.weights.data();
  } else if (!w.data && w.stored_axes == std::vector{1, 0}) {
    in.w = stored.inputs.at("weight");
    in.w_terms_first = !by_channel && columns_take(p.request);
    if (!in.w_terms_first) {
      p.held.push_back(turned(w, in.w));
      in.w = p.held.back().data;
    }
  } else {
    in.w = bytes_of(w, stored.inputs, "weight", in.w_channels_last, p.held);
  }
  const std::int64_t channels = g.groups * g.out_channels;
  p.observed = bytes_of(y, stored.outputs, "y", p.request.channels_last, p.held);
  if (g.positions() == 1) p.request.channels_last = true;  // runs go along the channels
  p.observed_signed = info(y.dtype).min < 0;
  p.order = {channels, g.positions(), p.request.channels_last};
  p.context = requantize_context(layer, cell, numbers, channels);
  return p;
}

}  // namespace lastbit
