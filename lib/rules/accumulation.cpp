// accumulation.cpp: see accumulation.hpp.
#include "lib/rules/accumulation.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include "lib/error.hpp"
#include "lib/num/int.hpp"
#include "lib/rules/float_products.hpp"
#include "lib/rules/inexact.hpp"
#include "lib/rules/onednn_pairs.hpp"
#include "lib/rules/pairs.hpp"
#include "lib/rules/vector_width.hpp"
#include "lib/rules/worst_case.hpp"

namespace lastbit {
namespace {

constexpr std::int64_t limit = std::int64_t{1} << 31;  // sizes and attributes beyond this are refused

std::int64_t spatial(std::int64_t v, std::int64_t least, const Layer& layer, const char* what) {
  if (v < least || v >= limit)
    throw Error(layer.place + ": attribute \"" + what + "\"", "found " + std::to_string(v) + ", expected " + std::to_string(least) + " to 2147483647");
  return v;
}

const Tensor& tensor_of_rank(const Layer& layer, const std::string& port, std::int64_t rank) {
  const Tensor& t = layer.in(port);
  if (t.rank() != rank) throw Error(layer.place + ": input \"" + port + "\"", "found the shape " + to_string(t.shape) + ", expected " + std::to_string(rank) + " axes");
  return t;
}

void integers_only(const Layer& layer, const Tensor& t, const std::string& port) {
  if (is_float(t.dtype)) throw Error(layer.place + ": input \"" + port + "\"", "found " + std::string(name(t.dtype)) + ", expected an integer type");
}

}  // namespace

Geometry conv_geometry(const Layer& layer, int dims, bool transposed) {
  const auto d = static_cast<std::size_t>(dims);
  const Tensor& x = tensor_of_rank(layer, "x", dims + 2);
  const Tensor& w = tensor_of_rank(layer, "weight", dims + 2);
  Geometry g;
  g.transposed = transposed;
  g.batch = x.dim(0);
  g.groups = spatial(layer.attributes.integer("groups", 1), 1, layer, "groups");
  const std::int64_t channels = x.dim(1);
  const std::int64_t wi = transposed ? w.dim(0) : w.dim(1) * g.groups, wo = transposed ? w.dim(1) * g.groups : w.dim(0);
  if (wi != channels || (transposed ? channels : wo) % g.groups)
    throw Error(layer.place + ": weight", "found the shape " + to_string(w.shape) + " for an input of shape " + to_string(x.shape) + " and groups " + std::to_string(g.groups) +
                                              ", expected " + (transposed ? "[I, O/groups, k...]" : "[O, I/groups, k...]"));
  g.in_channels = channels / g.groups;
  g.out_channels = wo / g.groups;
  const auto stride = layer.attributes.integers("stride", d, 1), dilation = layer.attributes.integers("dilation", d, 1);
  std::vector<std::int64_t> padding{0};
  if (layer.attributes.has("padding")) padding = layer.attributes.list("padding");
  if (padding.size() == 1) padding.assign(2 * d, padding[0]);
  else if (padding.size() == d) { const auto begins = padding; padding.insert(padding.end(), begins.begin(), begins.end()); }
  else if (padding.size() != 2 * d)
    throw Error(layer.place + ": attribute \"padding\"", "found " + std::to_string(padding.size()) + " entries, expected " + std::to_string(d) + " or " + std::to_string(2 * d));
  const auto extra = layer.attributes.integers("output_padding", d, 0);
  for (std::size_t i = 0; i < d; ++i) {
    const std::size_t a = 3 - d + i;
    g.in[a] = x.dim(static_cast<std::int64_t>(i) + 2);
    g.kernel[a] = w.dim(static_cast<std::int64_t>(i) + 2);
    g.stride[a] = spatial(stride[i], 1, layer, "stride");
    g.dilation[a] = spatial(dilation[i], 1, layer, "dilation");
    g.begin[a] = spatial(padding[i], 0, layer, "padding");
    const std::int64_t end = spatial(padding[i + d], 0, layer, "padding");
    const std::int64_t reach = g.dilation[a] * (g.kernel[a] - 1) + 1;
    if (transposed) {
      if (extra[i] < 0 || extra[i] >= std::max(g.stride[a], g.dilation[a]))
        throw Error(layer.place + ": attribute \"output_padding\"", "found " + std::to_string(extra[i]) + ", expected 0 to less than stride or dilation");
      g.out[a] = (g.in[a] - 1) * g.stride[a] - g.begin[a] - end + reach + extra[i];
    } else {
      const std::int64_t room = g.in[a] + g.begin[a] + end - reach;
      g.out[a] = room < 0 ? 0 : room / g.stride[a] + 1;
    }
    if (g.out[a] <= 0 || g.kernel[a] == 0) throw Error(layer.place, "found a window that does not fit its input along axis " + std::to_string(i + 2) + ", expected an output of at least one element");
  }
  std::int64_t cells = g.terms();
  if (__builtin_mul_overflow(cells, g.positions(), &cells) || cells > (std::int64_t{1} << 40)) throw Error(layer.place, "found a window of " + std::to_string(g.terms()) + " terms at " + std::to_string(g.positions()) + " positions, expected fewer");
  return g;
}

Geometry linear_geometry(const Layer& layer) {
  const Tensor& x = layer.in("x");
  const Tensor& w = tensor_of_rank(layer, "weight", 2);
  if (x.rank() < 1 || x.dim(-1) != w.dim(1))
    throw Error(layer.place + ": weight", "found the shape " + to_string(w.shape) + " for an input of shape " + to_string(x.shape) + ", expected [O, I] with the input's last axis as I");
  Geometry g;
  g.batch = w.dim(1) == 0 ? 0 : x.size() / w.dim(1);
  g.in_channels = w.dim(1);
  g.out_channels = w.dim(0);
  return g;
}

Shape conv_output_shape(const Geometry& g, int dims) {
  Shape s{g.batch, g.groups * g.out_channels};
  for (std::size_t a = 3 - static_cast<std::size_t>(dims); a < 3; ++a) s.push_back(g.out[a]);
  return s;
}

AccumulationInput read_operands(const Layer& layer, const Geometry& g, const std::string& x, const std::string& w) {
  const Tensor& tx = layer.in(x);
  const Tensor& tw = layer.in(w);
  integers_only(layer, tw, w);
  AccumulationInput in;
  if (!is_float(tx.dtype)) {
    in.x = tx.i32();
    in.x_zero_point = tx.q.integer_zero_point();
    in.x_dtype = tx.dtype;
    in.x_scale = tx.q.quantized() ? tx.q.scale_of(0) : 1;
  }
  in.w = tw.i32();
  if (g.transposed) {  // [I, O/g, taps] -> [O, I/g, taps]
    const std::int64_t T = g.taps(), C = g.in_channels, O = g.out_channels;
    std::vector<std::int32_t> turned(in.w.size());
    for (std::int64_t gi = 0; gi < g.groups; ++gi)
      for (std::int64_t c = 0; c < C; ++c)
        for (std::int64_t o = 0; o < O; ++o)
          std::copy_n(&in.w[static_cast<std::size_t>(((gi * C + c) * O + o) * T)], T, &turned[static_cast<std::size_t>(((gi * O + o) * C + c) * T)]);
    in.w = std::move(turned);
  }
  const std::int64_t channels = g.groups * g.out_channels;
  const auto n = static_cast<std::int64_t>(tw.q.zero_point.size());
  if (n > 1)
    for (std::int64_t c = 0; c < channels; ++c) in.w_zero_point.push_back(tw.q.integer_zero_point(g.transposed ? c % n : c));
  else in.w_zero_point = {tw.q.integer_zero_point()};
  return in;
}

namespace {

void mark(Accumulated& r, std::size_t i, std::int64_t value, Events what) {
  if (r.events.empty()) r.events.resize(r.acc.size());
  r.acc[i] = value;
  r.events[i] |= what;
  r.exact = false;
}

/// audit's what-if, "24-wrap" or "24-saturate": the accumulator starts from the integer bias, which requantization adds, so it is
/// taken off again. A wrap of every partial sum is a wrap of the final one; saturation depends on the order, taps ascending,
/// channel fastest.
void narrow_register(const Layer& layer, const Geometry& g, const AccumulationInput& in, const Operands& operands, const Cell& cell, Accumulated& r) {
  const std::string model = cell.get("register");
  const int bits = std::stoi(model);
  const bool saturates = model.find("saturate") != std::string::npos;
  const std::int64_t channels = g.groups * g.out_channels, P = g.positions();
  const auto biases = integer_biases(cell.stages, requantize_context(layer, cell, in, channels, layer.find("weight") ? "weight" : "b"), channels, layer.place);
  for (std::size_t i = 0; i < r.acc.size(); ++i) {
    const std::int64_t bias = biases.empty() ? 0 : biases[static_cast<std::size_t>(static_cast<std::int64_t>(i) / P % channels)];
    if (!saturates) {
      if (const auto v = wrap(r.acc[i] + bias, bits); v != r.acc[i] + bias) mark(r, i, v - bias, event::wrapped);
      continue;
    }
    std::int64_t sum = saturate(bias, bits), size = std::abs(bias);
    for_each_product(g, operands, static_cast<std::int64_t>(i), [&](auto, auto, std::int64_t x, std::int64_t w, bool) { size += std::abs(x * w); });
    if (bits_of(size) <= bits) continue;
    bool reached = sum != bias;
    for_each_product(g, operands, static_cast<std::int64_t>(i), [&](auto, auto, std::int64_t x, std::int64_t w, bool) {
      const std::int64_t next = saturate(sum + x * w, bits);
      reached |= next != sum + x * w;
      sum = next;
    });
    if (reached) mark(r, i, sum - bias, event::saturated);
  }
}

/// The register under the sum.
void narrow(const Layer& layer, const Geometry& g, const AccumulationInput& in, const Operands& operands, const Cell& cell, Accumulated& r) {
  if (!cell.get("register").empty()) narrow_register(layer, g, in, operands, cell, r);
  else if (cell.get("accumulator", "int32") == "int32") {
    for (std::size_t i = 0; i < r.acc.size(); ++i)
      if (const auto wrapped = wrap32(r.acc[i]); wrapped != r.acc[i]) mark(r, i, wrapped, event::wrapped);
  }
}

}  // namespace

std::vector<Segment> pair_segments(const Layer& layer, const Cell& cell, const Geometry& g) {
  if (cell.get("pairs", "none") != "int16") return {};
  const std::string order = cell.get("pair_order", "flat");
  if (order == "onednn") return onednn_segments(layer, g, cell.get("kernels"));
  const std::int64_t T = g.taps(), C = g.in_channels;
  Segment all;
  all.reserve(static_cast<std::size_t>(T * C));
  const auto apart = [&](std::int64_t from, std::int64_t to, std::int64_t by) {  // in every 2 * by terms: i with i + by
    for (std::int64_t at = from; at + by < to; at += 2 * by)
      for (std::int64_t i = at; i < at + by && i + by < to; ++i) all.push_back(static_cast<std::int32_t>(i)), all.push_back(static_cast<std::int32_t>(i + by));
  };
  if (order == "nine_taps") {
    apart(0, 8, 2);
  } else if (order == "eights" || order == "eights_channels_first") {
    apart(0, T * C, 8);
  } else if (order == "columns_first") {  // taps down a column of the window, then the next column; channel fastest
    const std::int64_t kw = g.kernel[2];
    for (std::int64_t v = 0; v < kw; ++v)
      for (std::int64_t t = v; t < T; t += kw)
        for (std::int64_t c = 0; c < C; ++c) all.push_back(static_cast<std::int32_t>(t * C + c));
  } else if (order == "eights_of_tap") {
    for (std::int64_t t = 0; t < T; ++t) apart(t * C, (t + 1) * C, 8);
  } else {
    for (std::int64_t k = 0; k < T * C; ++k) all.push_back(static_cast<std::int32_t>(k));
  }
  if (order == "channels_first" || order == "eights_channels_first")
    for (auto& k : all) k = static_cast<std::int32_t>(k % T * C + k / T);
  return {std::move(all)};
}

Accumulated accumulate_layer(const Layer& layer, const Cell& cell, const Geometry& g, const AccumulationInput& in) {
  const Operands operands{in.x, in.w, in.x_zero_point, in.w_zero_point};
  Accumulated r;
  r.acc = accumulate(g, operands, r.kernel);
  if (cell.get("pairs", "none") == "int16") {
    const auto segments = pair_segments(layer, cell, g);
    const std::int32_t offset = pair_offset(cell);
    const std::int64_t factor = pair_factor(cell);
    std::vector<std::int32_t> moved;
    Operands raw = operands;
    if (offset) {
      for (const auto v : in.x) moved.push_back(v + offset);
      raw.x = moved;
    }
    const std::int32_t outside = pair_outside(cell, in.x_zero_point);
    const auto& range = info(in.x_dtype);
    const auto excess = pair_excess(g, raw, segments, outside, static_cast<std::int32_t>(range.min) + offset, static_cast<std::int32_t>(range.max) + offset);
    for (std::size_t i = 0; i < excess.size(); ++i)
      if (excess[i]) {
        if (r.events.empty()) r.events.resize(r.acc.size());
        r.acc[i] += excess[i] * factor;
        r.events[i] |= factor == 1 ? event::pair_saturated : event::wrapped;
        r.exact = false;
      }
  }
  narrow(layer, g, in, operands, cell, r);
  return r;
}

RequantizeContext requantize_context(const Layer& layer, const Cell& cell, const AccumulationInput& in, std::int64_t channels, const std::string& w) {
  const Tensor& weight = layer.in(w);
  RequantizeContext c;
  const Tensor* bias = layer.find("bias");
  std::vector<double> biases;
  if (bias) {
    biases = bias->f64();
    if (static_cast<std::int64_t>(biases.size()) != channels)
      throw Error(layer.place + ": input \"bias\"", "found " + std::to_string(biases.size()) + " elements, expected " + std::to_string(channels));
  }
  c.has_bias = bias != nullptr;
  c.lanes = channels;
  double so = 1, zo = 0;
  if (layer.has_out("y")) {
    const Tensor& y = layer.out("y");
    if (y.q.quantized()) so = y.q.scale_of(0), zo = y.q.zero_point_of(0);
    if (!is_float(y.dtype)) {
      const std::string bound = cell.get("bound");
      const Range r = activated_range(layer, y, bound == "half_away" ? Rounding::half_away : Rounding::half_even, bound == "half_even_with_zero_point");
      c.min = r.min, c.max = r.max;
    }
  }
  if (layer.attributes.has("activation") && std::holds_alternative<std::string>(layer.attributes.values.at("activation"))) c.activation = layer.attributes.text("activation");
  c.negative_slope = layer.attributes.number("negative_slope", 0.01);
  const double alpha = layer.attributes.number("alpha", 1.0);
  const auto scales = static_cast<std::int64_t>(weight.q.scale.size());
  const std::int64_t different = scales <= 1 && !bias ? 1 : channels;
  c.channels.assign(static_cast<std::size_t>(different), {{"si", in.x_scale}, {"so", so}, {"zi", static_cast<double>(in.x_zero_point)}, {"zo", zo}, {"alpha", alpha}});
  const bool integers = bias && !is_float(bias->dtype), own_scale = integers && bias->q.quantized(), in_order = own_scale && (bias->q.scale.size() == 1 || (bias->q.per_channel() && bias->rank() == 1));
  for (std::int64_t o = 0; o < different; ++o) {
    Names& names = c.channels[static_cast<std::size_t>(o)];
    const double sw = scales == 0 ? 1.0 : weight.q.scale_of(scales == channels || scales == 1 ? o : o % scales);
    names["sw"] = sw;
    names["sb"] = !integers ? 1.0 : in_order ? bias->q.scale_of(o) : own_scale ? bias->scale_at(o) : in.x_scale * sw;
    names["bias"] = bias ? biases[static_cast<std::size_t>(o)] : 0.0;
  }
  return c;
}

namespace {

/// The stages of the elements that no whole vector of the output, as it lies in memory, holds.
std::optional<Requantizer> tail_of(const Layer& layer, const Cell& cell, const AccumulationInput& in, std::int64_t channels) {
  const std::string rule = cell.get("tail_rule");
  if (rule.empty()) return std::nullopt;
  if (!cell.with.count("vector")) throw Error(layer.place + ": profile: parameter \"tail_rule\"", "found it alone, expected \"vector\" beside it");
  auto stages = cell.stages;
  for (auto& s : stages)
    if (s.starts_with("fixed ")) s = "fixed " + rule + s.substr(s.find(' ', 6));
  return Requantizer(stages, requantize_context(layer, cell, in, channels), layer.place);
}

}  // namespace

Result run_accumulation(const Layer& layer, const Cell& cell, const Geometry& g, const AccumulationInput& in, const Shape& out_shape) {
  Accumulated a = accumulate_layer(layer, cell, g, in);
  const std::int64_t channels = g.groups * g.out_channels, P = g.positions();
  Result result;
  result.exact_accumulator = a.exact;
  result.kernel = a.kernel;
  if (layer.has_out("accumulator")) {
    Computed& c = result.outputs["accumulator"];
    c.shape = out_shape;
    c.events = a.events;
    c.acc = a.acc;
    for (const auto v : a.acc) c.q.push_back(wrap32(v));
    if (!layer.has_out("y")) {
      const auto [lo, hi] = std::minmax_element(a.acc.begin(), a.acc.end());
      if (!a.acc.empty()) result.acc_min = *lo, result.acc_max = *hi;
      return result;
    }
  }
  const Requantizer requantize(cell.stages, requantize_context(layer, cell, in, channels), layer.place);
  const auto tail = tail_of(layer, cell, in, channels);
  const auto elements = static_cast<std::int64_t>(a.acc.size()), tail_from = tail ? elements - elements % vector_width(layer, cell, 1) : elements;
  Computed& y = result.outputs["y"];
  y.shape = out_shape;
  y.acc.resize(a.acc.size());
  y.events = std::move(a.events);
  y.events.resize(a.acc.size());
  const bool to_float = is_float(layer.out("y").dtype);
  const bool inexact = cell.get("bounds") == "tosa_inexact" && !to_float;
  if (to_float) y.f.resize(a.acc.size());
  else y.q.resize(a.acc.size());
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(a.acc.size()); ++i) {
    const auto at = static_cast<std::size_t>(i);
    const std::int64_t channel = i / P % channels;
    const bool last = tail && (i / (P * channels) * P + i % P) * channels + channel >= tail_from;
    if (to_float) y.f[at] = requantize.to_float(a.acc[at], channel, y.events[at]);
    else y.q[at] = static_cast<std::int32_t>((last ? *tail : requantize)(a.acc[at], channel, y.events[at]));
    y.acc[at] = requantize.with_bias(a.acc[at], channel);
    if (inexact) {
      const auto& c = requantize.context();
      const Names& n = c.channels.size() == 1 ? c.channels[0] : c.channels[static_cast<std::size_t>(channel)];
      add_inexact(y, i, y.acc[at], quantize_multiplier(n.at("si") * n.at("sw") / n.at("so")), static_cast<std::int64_t>(n.at("zo")), {c.min, c.max});
    }
  }
  if (!y.acc.empty()) {
    const auto [lo, hi] = std::minmax_element(y.acc.begin(), y.acc.end());
    result.acc_min = *lo, result.acc_max = *hi;
  }
  return result;
}

Real real_accumulation(const Layer& layer, const Result&, const Geometry& g, const AccumulationInput& in) {
  const std::int64_t channels = g.groups * g.out_channels, P = g.positions();
  std::string kernel;
  const Operands operands{in.x, in.w, in.x_zero_point, in.w_zero_point};
  auto acc = std::make_shared<std::vector<std::int64_t>>(accumulate(g, operands, kernel));
  const Tensor& weight = layer.in("weight");
  const Tensor* bias = layer.find("bias");
  const double alpha = layer.attributes.number("alpha", 1.0);
  struct Channel { double scale_w, bias, bias_scale; bool exact_bias; };
  auto per = std::make_shared<std::vector<Channel>>();
  const auto scales = static_cast<std::int64_t>(weight.q.scale.size());
  for (std::int64_t o = 0; o < channels; ++o) {
    Channel c{scales == 0 ? 1.0 : weight.q.scale_of(scales > 1 ? o % scales : 0), 0, 0, true};
    if (bias) {
      c.bias = is_float(bias->dtype) ? bias->value(o) : static_cast<double>(bias->integer(o));
      // An integer bias stands for bias * (its own scale, else si * sw).
      c.bias_scale = is_float(bias->dtype) ? 1.0 : bias->q.quantized() ? bias->scale_at(o) : -1.0;
    }
    per->push_back(c);
  }
  Real r;
  const std::size_t n = acc->size();
  r.approx.resize(n);
  r.bound.resize(n);
  const double si = in.x_scale;
  for (std::size_t i = 0; i < n; ++i) {
    const Channel& c = (*per)[static_cast<std::size_t>(static_cast<std::int64_t>(i) / P % channels)];
    const double product = static_cast<double>((*acc)[i]) * si * c.scale_w * alpha;
    const double b = c.bias * (c.bias_scale < 0 ? si * c.scale_w : c.bias_scale);
    r.approx[i] = product + b;
    r.bound[i] = (std::fabs(product) * 5 + std::fabs(b) * 4) * 0x1p-53 + 0x1p-1000;
  }
  r.exact = [acc, per, si, alpha, P, channels](std::int64_t i) {
    const Channel& c = (*per)[static_cast<std::size_t>(i / P % channels)];
    const Exact scale = Exact(si) * Exact(c.scale_w);
    return Exact((*acc)[static_cast<std::size_t>(i)]) * scale * Exact(alpha) + Exact(c.bias) * (c.bias_scale < 0 ? scale : Exact(c.bias_scale));
  };
  float_products(layer, g, in, r);
  const std::string activation = layer.attributes.has("activation") && std::holds_alternative<std::string>(layer.attributes.values.at("activation")) ? layer.attributes.text("activation") : "none";
  if (activation == "leaky_relu") {
    const double slope = layer.attributes.number("negative_slope", 0.01);
    for (std::size_t i = 0; i < n; ++i) {
      if (r.f32[i] < 0) r.f32[i] *= static_cast<float>(slope);
      if (r.f64[i] < 0) r.f64[i] *= slope;
      if (r.approx[i] < 0) r.approx[i] *= slope;
    }
    r.exact = [inner = r.exact, slope](std::int64_t i) { const Exact v = inner(i); return v < Exact(0) ? v * Exact(slope) : v; };
  } else if (activation == "tanh") {
    for (std::size_t i = 0; i < n; ++i) {
      r.f32[i] = static_cast<float>(std::tanh(static_cast<double>(r.f32[i])));
      r.f64[i] = std::tanh(r.f64[i]);
      r.approx[i] = std::tanh(r.approx[i]);
      r.bound[i] += 0x1p-50;
    }
    r.exact = [inner = r.exact](std::int64_t i) { return tanh(inner(i)); };
  } else if (activation == "relu" && layer.has_out("y") && is_float(layer.out("y").dtype)) {
    for (std::size_t i = 0; i < n; ++i) r.f32[i] = std::max(r.f32[i], 0.0f), r.f64[i] = std::max(r.f64[i], 0.0), r.approx[i] = std::max(r.approx[i], 0.0);
    r.exact = [inner = r.exact](std::int64_t i) { return max(inner(i), Exact(0)); };
  }
  return r;
}

}  // namespace lastbit
