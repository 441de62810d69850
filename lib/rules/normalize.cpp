// normalize.cpp: see normalize.hpp.
//
//   aten/src/ATen/native/quantized/cpu/kernels/QuantizedOpKernels.cpp   quantized_normalize_kernel, quantized_groupnorm_nhwc_kernel
#include "lib/rules/normalize.hpp"

#include <algorithm>

#include "lib/error.hpp"
#include "lib/num/float.hpp"
#include "lib/rules/pointwise.hpp"
#include "lib/rules/quantize_value.hpp"

namespace lastbit {
namespace {

/// x as [groups, channels of a group, inner]; `scales` weights stand for the elements of a group: one each, or one a channel.
struct Layout {
  std::int64_t groups = 1, channels = 1, inner = 1;
  std::int64_t all_channels = 1;  // of one sample
  bool elementwise = false;
  std::int64_t size() const { return channels * inner; }
  /// Index of the weight of element k of group g.
  std::int64_t weight(std::int64_t g, std::int64_t k) const { return elementwise ? k : (g * channels + k / inner) % all_channels; }
};

template <Normalized kind>
Layout layout_of(const Layer& layer) {
  const Tensor& x = layer.in("x");
  Layout l;
  if constexpr (kind == Normalized::layer) {
    l.elementwise = true;
    const auto shape = layer.attributes.list("normalized_shape");
    if (shape.empty() || shape.size() > x.shape.size() || !std::equal(shape.begin(), shape.end(), x.shape.end() - static_cast<std::ptrdiff_t>(shape.size())))
      throw Error(layer.place + ": attribute \"normalized_shape\"", "found " + to_string(shape) + ", expected the last axes of " + to_string(x.shape));
    l.inner = count(shape);
    l.groups = l.inner ? x.size() / l.inner : 0;
    return l;
  }
  if (x.rank() < 3) throw Error(layer.place + ": input \"x\"", "found the shape " + to_string(x.shape) + ", expected [N, C, ...] of at least 3 axes");
  l.all_channels = x.dim(1);
  const std::int64_t groups = kind == Normalized::group ? layer.attributes.integer("num_groups") : l.all_channels;
  if (groups < 1 || l.all_channels % groups)
    throw Error(layer.place + ": attribute \"num_groups\"", "found " + std::to_string(groups) + ", expected a divisor of the " + std::to_string(l.all_channels) + " channels");
  l.channels = l.all_channels / groups;
  l.groups = x.dim(0) * groups;
  for (std::int64_t a = 2; a < x.rank(); ++a) l.inner *= x.dim(a);
  return l;
}

template <Normalized kind>
void check(const Layer& layer) {
  const Tensor &x = layer.in("x"), &y = layer.out();
  if (is_float(x.dtype) || !x.q.quantized() || is_float(y.dtype) || !y.q.quantized()) throw Error(layer.place, "found a tensor that is not quantized, expected x and y to be");
  const Layout l = layout_of<kind>(layer);
  if (x.size() == 0) throw Error(layer.place + ": input \"x\"", "found the shape " + to_string(x.shape) + ", expected at least one element");
  for (const char* port : {"weight", "bias"})
    if (const Tensor* t = layer.find(port); t && (!is_float(t->dtype) || t->size() != (l.elementwise ? l.inner : l.all_channels)))
      throw Error(layer.place + ": input \"" + port + "\"", "found " + std::string(name(t->dtype)) + " " + to_string(t->shape) + ", expected float32, " + std::to_string(l.elementwise ? l.inner : l.all_channels) + " elements");
  layer.attributes.number("eps", 1e-5);
  expect_shape(layer, "y", x.shape);
}

float multiply_add(bool one_rounding, float a, float b, float c) {
  if (one_rounding) return fused(a, b, c);
  const float product = a * b;
  return product + c;
}

struct Statistics {
  float mean, rstd;
};

Statistics statistics(float mean_of_codes, float squares_over_n, double zero_point, float scale, double eps, bool one_rounding) {
  const float var = std::max(multiply_add(one_rounding, -mean_of_codes, mean_of_codes, squares_over_n), 0.0f);
  const float scaled = var * scale * scale;
  return {mean_of_codes - static_cast<float>(zero_point), static_cast<float>(static_cast<double>(scale) / sqrt(static_cast<double>(scaled) + eps))};
}

template <Normalized kind>
Result run(const Layer& layer, const Cell& cell) {
  const Tensor &x = layer.in("x"), &out = layer.out();
  const Layout l = layout_of<kind>(layer);
  const bool one_rounding = cell.get("fused", "yes") == "yes", last = cell.rule == "channels_last";
  const QuantizeRule body = quantize_rule(cell.get("body", "outside"), layer.place), tail = quantize_rule(cell.get("tail", "outside"), layer.place);
  const bool float_sums = last && l.inner >= 512;
  const double eps = layer.attributes.number("eps", 1e-5), zx = x.q.zero_point_of(0);
  const float sx = static_cast<float>(x.q.scale_of(0)), n = static_cast<float>(l.size());
  const auto q = x.i32();
  const auto weight = layer.find("weight") ? layer.in("weight").f32() : std::vector<float>();
  const auto bias = layer.find("bias") ? layer.in("bias").f32() : std::vector<float>();
  const Range range = stored_range(out);
  Result r;
  Computed& y = r.outputs["y"] = quantized_output(out.shape);
  for (std::int64_t g = 0; g < l.groups; ++g) {
    const std::int32_t* codes = q.data() + g * l.size();
    float mean_of_codes, squares_over_n;
    if (float_sums) {
      float sum = 0, squares = 0;
      for (std::int64_t c = 0; c < l.channels; ++c) {
        float s = 0, ss = 0;
        for (std::int64_t p = 0; p < l.inner; ++p) {
          const std::int32_t v = codes[c * l.inner + p];
          s += static_cast<float>(v);
          ss += static_cast<float>(v * v);
        }
        sum += s;
        squares += ss;
      }
      mean_of_codes = sum / n, squares_over_n = squares / n;
    } else {
      std::int64_t sum = 0, squares = 0;
      for (std::int64_t k = 0; k < l.size(); ++k) {
        sum += codes[k];
        squares += std::int64_t{codes[k]} * codes[k];
      }
      mean_of_codes = static_cast<float>(sum) / n, squares_over_n = static_cast<float>(squares) / n;
    }
    const Statistics s = statistics(mean_of_codes, squares_over_n, zx, sx, eps, one_rounding);
    const std::int64_t first_channel = l.elementwise ? 0 : g * l.channels % l.all_channels;
    for (std::int64_t k = 0; k < l.size(); ++k) {
      const auto at = static_cast<std::size_t>(g * l.size() + k), w = static_cast<std::size_t>(l.weight(g, k));
      const float d = static_cast<float>(codes[k]) - static_cast<float>(zx), gamma = weight.empty() ? 1.0f : weight[w], beta = bias.empty() ? 0.0f : bias[w];
      const float scaled = s.rstd * gamma, centred = d - s.mean;
      float v;
      bool in_body = true;
      if (cell.rule == "rows") {
        v = multiply_add(one_rounding, centred * s.rstd, gamma, beta);
        in_body = k < l.size() / 32 * 32;
      } else if (last) {
        v = multiply_add(one_rounding, d, scaled, multiply_add(one_rounding, -scaled, s.mean, beta));
        const std::int64_t channel = k / l.inner;
        in_body = float_sums ? first_channel + channel < l.all_channels / 32 * 32 : channel < l.channels / 32 * 32;
      } else {
        v = multiply_add(one_rounding, centred, scaled, beta);
      }
      y.q[at] = static_cast<std::int32_t>(quantize_value(in_body ? body : tail, v, out.q.scale_of(0), out.q.zero_point_of(0), range, y.events[at]));
    }
  }
  return r;
}

template <Normalized kind>
Real real(const Layer& layer, const Result&) {
  const Tensor& x = layer.in("x");
  const Tensor *weight = layer.find("weight"), *bias = layer.find("bias");
  const Layout l = layout_of<kind>(layer);
  const double eps = layer.attributes.number("eps", 1e-5);
  // Mean and variance of a group's codes are rationals of these two integers.
  auto sums = std::make_shared<std::vector<std::pair<std::int64_t, std::int64_t>>>(static_cast<std::size_t>(l.groups));
  for (std::int64_t i = 0; i < x.size(); ++i) {
    auto& [sum, squares] = (*sums)[static_cast<std::size_t>(i / l.size())];
    sum += x.integer(i);
    squares += x.integer(i) * x.integer(i);
  }
  return pointwise(x.size(), [=, &x]<class T>(std::int64_t i) -> T {
    const std::int64_t g = i / l.size(), w = l.weight(g, i % l.size());
    const auto [sum, squares] = (*sums)[static_cast<std::size_t>(g)];
    const T n = T(static_cast<double>(l.size())), mean = T(static_cast<double>(sum)) / n, scale = T(x.q.scale_of(0));
    const T variance = (n * T(static_cast<double>(squares)) - T(static_cast<double>(sum)) * T(static_cast<double>(sum))) / n / n;
    T v = (T(static_cast<double>(x.integer(i))) - mean) * scale / sqrt(variance * scale * scale + T(eps));
    if (weight) v = v * T(weight->value(w));
    if (bias) v = v + T(bias->value(w));
    return v;
  });
}

void facts(const Layer& layer, std::set<std::string>& f) {
  if (const Tensor* x = layer.find("x"); x && x->rank() == 4 && f.count("memory:NHWC")) f.insert("image_channels_last");
}

template <Normalized kind>
Operator make(const char* name, std::vector<AttributeSpec> attributes) {
  attributes.push_back({"eps", "number >= 0 (1e-5)"});
  const std::string size = kind == Normalized::layer ? "float32 [normalized_shape]" : "float32 [C]";
  return {.name = name,
          .families = {"normalization"},
          .formula = "y = (v - mean(v)) / sqrt(var(v) + eps) * weight + bias, v = (x - zx) * sx over each group",
          .inputs = {{"x", kind == Normalized::layer ? "uint8, int8" : "uint8, int8 [N, C, ...]"}, {"weight", size, true}, {"bias", size, true}},
          .outputs = {{"y", "like x"}},
          .attributes = std::move(attributes),
          .rules = {"rows", "planes", "channels_last"},
          .spatial = kind != Normalized::layer,
          .check = check<kind>,
          .run = run<kind>,
          .real = real<kind>,
          .facts = facts};
}

}  // namespace

Operator normalization(Normalized kind) {
  switch (kind) {
    case Normalized::layer: return make<Normalized::layer>("layer_norm", {{"normalized_shape", "integers, the last axes"}});
    case Normalized::group: return make<Normalized::group>("group_norm", {{"num_groups", "integer >= 1"}});
    case Normalized::instance: return make<Normalized::instance>("instance_norm", {});
  }
  throw InternalError("a normalization of no kind");
}

}  // namespace lastbit
