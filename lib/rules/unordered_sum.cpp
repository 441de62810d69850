// unordered_sum.cpp: see unordered_sum.hpp.
#include "lib/rules/unordered_sum.hpp"

#include <algorithm>
#include <cmath>

#include "lib/error.hpp"
#include "lib/rules/accumulation.hpp"
#include "lib/rules/ordered_products.hpp"
#include "lib/rules/pointwise.hpp"
#include "lib/rules/quantize_value.hpp"

namespace lastbit {

FloatRange floats_within(double middle, double bound) {
  const float nearest = static_cast<float>(middle);
  if (!std::isfinite(middle) || !std::isfinite(bound)) return middle != middle ? FloatRange{nearest, nearest} : FloatRange{-HUGE_VALF, HUGE_VALF};
  const double room = (bound + std::fabs(middle) * 0x1p-52) * (1 + 0x1p-40), low = middle - room, high = middle + room;
  const FloatRange r = inside(low, high);
  return {std::min(r.lo, nearest), std::max(r.hi, nearest)};
}

FloatRange range_of(const UnorderedSum& s) {
  if (s.roundings <= 1) return {static_cast<float>(s.value), static_cast<float>(s.value)};  // one product, rounded once
  const double n = static_cast<double>(s.roundings) * 0x1p-24;
  if (!(n < 0.5)) return {-HUGE_VALF, HUGE_VALF};
  // Products are exact in float64; their float64 sum is not, nor are float32 products below 2^-126.
  const double own = static_cast<double>(s.roundings) * 0x1p-52 * s.magnitude, tiny = static_cast<double>(s.roundings) * 0x1p-149;
  return floats_within(s.value, n / (1 - n) * s.magnitude + own + tiny);
}

void put(Computed& y, std::int64_t i, FloatRange v) {
  const auto at = static_cast<std::size_t>(i);
  y.f[at] = v.lo == v.hi || v.lo != v.lo ? v.lo : std::isinf(v.lo) || std::isinf(v.hi) ? 0.0f : static_cast<float>((static_cast<double>(v.lo) + static_cast<double>(v.hi)) / 2);
  if (v.lo == v.hi || v.lo != v.lo) return;
  y.undefined.push_back({i, static_cast<double>(v.lo), static_cast<double>(v.hi)});
  y.events[at] |= event::undefined;
}

std::vector<float> single_values(const Layer& layer, const std::string& port) {
  const Tensor& t = layer.in(port);
  if (is_float(t.dtype)) return t.f32();
  if (!t.q.quantized()) throw Error(layer.place + ": input \"" + port + "\"", "found " + std::string(name(t.dtype)) + " without a scale, expected float32 or a quantized tensor in a float operator");
  std::vector<float> v;
  for (std::int64_t i = 0; i < t.size(); ++i) v.push_back((static_cast<float>(t.integer(i)) - static_cast<float>(t.zero_point_at(i))) * static_cast<float>(t.scale_at(i)));
  return v;
}

bool float_relu(const Layer& layer) {
  const std::string activation = layer.attributes.text("activation", "none");
  if (activation != "none" && activation != "relu") throw Error(layer.place + ": attribute \"activation\"", "found \"" + activation + "\", expected none or relu in a float operator");
  return activation == "relu";
}

QuantizedRange quantized_range(const UnorderedSum& sum, bool relu, QuantizeRule rule, double scale, double zero_point, Range range) {
  FloatRange v = range_of(sum);
  if (relu) v = {std::max(v.lo, 0.0f), std::max(v.hi, 0.0f)};
  QuantizedRange r;
  Events ignored = 0;
  r.value = quantize_value(rule, std::clamp(static_cast<float>(sum.value), v.lo, v.hi), scale, zero_point, range, r.events);
  r.lo = quantize_value(rule, v.lo, scale, zero_point, range, ignored);
  r.hi = quantize_value(rule, v.hi, scale, zero_point, range, ignored);
  return r;
}

namespace {

/// Calls visit(x index, weight index) for every term of output element (n, channel, p) that lies inside the input.
template <class Visit>
void terms(const Geometry& g, const std::vector<std::int32_t>& source, std::int64_t n, std::int64_t channel, std::int64_t p, Visit visit) {
  const std::int64_t T = g.taps(), C = g.in_channels, I = g.in_positions(), O = g.out_channels, group = channel / O;
  for (std::int64_t t = 0; t < T; ++t) {
    const std::int64_t s = source[static_cast<std::size_t>(p * T + t)];
    if (s < 0) continue;
    for (std::int64_t c = 0; c < C; ++c) {
      const std::int64_t in = group * C + c;
      const std::int64_t w = g.transposed ? (in * O + channel % O) * T + t : (channel * C + c) * T + t;
      visit((n * g.groups * C + in) * I + s, w);
    }
  }
}

template <class T>
T real_of(const Tensor& t, std::int64_t i) {
  return t.q.quantized() ? dequantized<T>(t, i) : T(t.value(i));
}

}  // namespace

Result run_float_products(const Layer& layer, const Cell& cell, const Geometry& g, const Shape& out_shape) {
  const bool relu = float_relu(layer);
  const Tensor& out = layer.out();
  const auto x = single_values(layer, "x"), w = single_values(layer, "weight");
  const auto bias = layer.find("bias") ? single_values(layer, "bias") : std::vector<float>();
  const bool to_float = is_float(out.dtype);
  const std::int64_t channels = g.groups * g.out_channels, P = g.positions();
  if (!bias.empty() && static_cast<std::int64_t>(bias.size()) != channels) throw Error(layer.place + ": input \"bias\"", "found " + std::to_string(bias.size()) + " elements, expected " + std::to_string(channels));
  const auto source = sources(g);
  const std::int64_t T = g.taps(), C = g.in_channels, O = g.out_channels;
  const auto weight_at = [&](std::int64_t channel, std::int64_t c, std::int64_t t) {
    const std::int64_t in = channel / O * C + c;
    return static_cast<double>(w[static_cast<std::size_t>(g.transposed ? (in * O + channel % O) * T + t : (channel * C + c) * T + t)]);
  };
  const auto input_at = [&](std::int64_t a) { return static_cast<double>(x[static_cast<std::size_t>(a)]); };
  // Products of two float32 are exact in float64.
  const auto values = ordered_products<double>(g, input_at, weight_at);
  const auto magnitudes = ordered_products<double>(g, [&](std::int64_t a) { return std::fabs(input_at(a)); }, [&](std::int64_t channel, std::int64_t c, std::int64_t t) { return std::fabs(weight_at(channel, c, t)); });
  std::vector<std::int64_t> inside(static_cast<std::size_t>(P));
  for (std::int64_t p = 0; p < P; ++p)
    inside[static_cast<std::size_t>(p)] = C * std::count_if(source.begin() + p * T, source.begin() + (p + 1) * T, [](std::int32_t s) { return s >= 0; });
  Result r;
  r.kernel = "float";
  Computed& y = r.outputs["y"] = to_float ? float_output(out_shape) : quantized_output(out_shape);
  const std::int64_t n = count(out_shape);
  const QuantizeRule rule = to_float ? QuantizeRule::outside : quantize_rule(cell.get("rounding", "outside"), layer.place);
  const Range range = to_float ? Range{} : stored_range(out);
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t channel = i / P % channels;
    UnorderedSum sum{values[static_cast<std::size_t>(i)], magnitudes[static_cast<std::size_t>(i)], inside[static_cast<std::size_t>(i % P)]};
    if (!bias.empty()) sum.add(static_cast<double>(bias[static_cast<std::size_t>(channel)]));
    if (to_float) {
      FloatRange v = range_of(sum);
      if (relu) v = {std::max(v.lo, 0.0f), std::max(v.hi, 0.0f)};
      put(y, i, v);
      continue;
    }
    const auto at = static_cast<std::size_t>(i);
    const QuantizedRange v = quantized_range(sum, relu, rule, out.scale_at(i), out.zero_point_at(i), range);
    y.q[at] = static_cast<std::int32_t>(v.value);
    y.events[at] |= v.events;
    if (v.lo == v.hi) continue;
    y.undefined.push_back({i, static_cast<double>(v.lo), static_cast<double>(v.hi)});
    y.events[at] |= event::undefined;
  }
  return r;
}

Real real_float_products(const Layer& layer, const Geometry& g) {
  const Tensor &x = layer.in("x"), &w = layer.in("weight"), *bias = layer.find("bias");
  const bool relu = layer.attributes.text("activation", "none") == "relu";
  const std::int64_t channels = g.groups * g.out_channels, P = g.positions();
  auto source = std::make_shared<const std::vector<std::int32_t>>(sources(g));
  return pointwise(g.batch * channels * P, [&x, &w, bias, relu, g, channels, P, source]<class T>(std::int64_t i) {
    const std::int64_t channel = i / P % channels;
    T sum(0);
    terms(g, *source, i / P / channels, channel, i % P, [&](std::int64_t a, std::int64_t b) { sum += real_of<T>(x, a) * real_of<T>(w, b); });
    if (bias) sum += real_of<T>(*bias, channel);
    return relu ? max(sum, T(0)) : sum;
  });
}

}  // namespace lastbit
