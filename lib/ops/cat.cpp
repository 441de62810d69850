// cat: y = x0, x1, ... side by side along dim, each brought to the output's qparams
#include <algorithm>
#include <charconv>
#include <numeric>

#include "lib/error.hpp"
#include "lib/num/float.hpp"
#include "lib/rules/aten_kernel.hpp"
#include "lib/rules/pointwise.hpp"
#include "lib/rules/quantize_value.hpp"
#include "lib/rules/tensor_iterator.hpp"

namespace lastbit::ops {
namespace {

std::vector<const Tensor*> parts(const Layer& layer) {
  std::vector<const Tensor*> all;
  while (const Tensor* t = layer.find("x" + std::to_string(all.size()))) all.push_back(t);
  if (all.empty() || all.size() != layer.inputs.size()) throw Error(layer.place, "found " + std::to_string(layer.inputs.size()) + " inputs of which " + std::to_string(all.size()) + " are x0, x1, ..., expected all, in a row");
  return all;
}

std::size_t axis(const Layer& layer) {
  const std::int64_t rank = layer.in("x0").rank();
  const std::int64_t dim = layer.attributes.integer("dim", 0);
  if (dim < -rank || dim >= rank) throw Error(layer.place + ": attribute \"dim\"", "found " + std::to_string(dim) + ", expected " + std::to_string(-rank) + " to " + std::to_string(rank - 1));
  return static_cast<std::size_t>(dim < 0 ? dim + rank : dim);
}

void check(const Layer& layer) {
  const auto all = parts(layer);
  const std::size_t dim = axis(layer);
  Shape shape = all[0]->shape;
  shape[dim] = 0;
  for (const Tensor* t : all) {
    Shape rest = t->shape;
    if (rest.size() == shape.size()) rest[dim] = shape[dim];
    if (rest != shape || t->dtype != all[0]->dtype || (!is_float(t->dtype) && t->q.scale.size() > 1))
      throw Error(layer.place + ": input \"" + t->name + "\"", "found " + std::string(name(t->dtype)) + " of shape " + to_string(t->shape) + ", expected the first input's type and its extents but along " + std::to_string(dim) + ", per tensor");
    shape[dim] += t->shape[dim];
  }
  expect_shape(layer, "y", shape);
  if (is_float(layer.out().dtype) != is_float(all[0]->dtype)) throw Error(layer.place + ": output \"y\"", "found " + std::string(name(layer.out().dtype)) + ", expected the inputs' kind of type");
}

struct Source {
  std::int32_t tensor;
  std::int64_t at, along;   // its element, and how far that is along dim in its own tensor
};

std::vector<Source> sources(const Layer& layer) {
  const auto all = parts(layer);
  const std::size_t dim = axis(layer);
  const Shape& shape = layer.out().shape;
  const std::int64_t inner = std::accumulate(shape.begin() + static_cast<std::ptrdiff_t>(dim) + 1, shape.end(), std::int64_t{1}, std::multiplies<>());
  const std::int64_t outer = std::accumulate(shape.begin(), shape.begin() + static_cast<std::ptrdiff_t>(dim), std::int64_t{1}, std::multiplies<>());
  std::vector<Source> from;
  from.reserve(static_cast<std::size_t>(count(shape)));
  for (std::int64_t o = 0; o < outer; ++o)
    for (std::size_t k = 0; k < all.size(); ++k)
      for (std::int64_t d = 0; d < all[k]->shape[dim]; ++d)
        for (std::int64_t i = 0; i < inner; ++i) from.push_back({static_cast<std::int32_t>(k), (o * all[k]->shape[dim] + d) * inner + i, d});
  return from;
}

bool alike(const Tensor& x, const Tensor& y) {
  return (!x.q.quantized() && !y.q.quantized()) || (x.q.quantized() && y.q.quantized() && x.q.scale_of(0) == y.q.scale_of(0) && x.q.zero_point_of(0) == y.q.zero_point_of(0));
}

// What a rule does to the stored value q of part x that lies at `along` of `extent`:
//   aten_nhwc          AtenKernel: channels below floor(C / vector) * vector are the body; relu on the float
//   dequantize_quantize   y = quantize(f32(s * (q - z))) by "rounding"; relu on the integer
//   scale_bias         y = half_away(f32(q * f32(s * (1 / so)) + f32(-z * f32(s * (1 / so))))) + zo    TFLite uint8;
//                      with "product": fused as one step, as compiled for ARM
//   copy               the bits, whatever the qparams say
// A part whose qparams are the output's is copied, unless the profile says with "equal": convert.
Result run(const Layer& layer, const Cell& cell) {
  const auto all = parts(layer);
  const Tensor& out = layer.out();
  const auto from = sources(layer);
  Result r;
  if (is_float(out.dtype)) {
    Computed& y = r.outputs["y"] = float_output(out.shape);
    for (std::size_t i = 0; i < from.size(); ++i) y.f[i] = static_cast<float>(all[static_cast<std::size_t>(from[i].tensor)]->value(from[i].at));
    return r;
  }
  Computed& y = r.outputs["y"] = quantized_output(out.shape);
  const bool relu = layer.attributes.text("activation", "none") == "relu";
  const Range range = activated_range(layer, out), stored = stored_range(out);
  const std::size_t dim = axis(layer);
  const AtenKernel kernel(layer, cell, out);
  const QuantizeRule rounding = quantize_rule(cell.get("rounding", "outside"), layer.place);
  const bool nhwc = cell.rule == "aten_nhwc", bits = cell.rule == "copy", scale_bias = cell.rule == "scale_bias", convert_equal = cell.get("equal", "copy") == "convert", fuses = cell.get("product") == "fused";
  const double zo = out.q.zero_point_of(0);
  for (std::size_t i = 0; i < from.size(); ++i) {
    const Tensor& x = *all[static_cast<std::size_t>(from[i].tensor)];
    const std::int64_t q = x.integer(from[i].at);
    Events& events = y.events[i];
    std::int64_t v = q;
    if (nhwc && (relu || !alike(x, out))) {
      const std::int64_t block = kernel.block();
      const bool body = block > 0 && from[i].along < x.shape[dim] / block * block;
      float real = kernel.dequantize(x, q, body);
      if (relu) real = real > 0.0f ? real : 0.0f;
      v = kernel.quantize(real, body, events);
    } else if (scale_bias && !alike(x, out)) {
      const float inverse_scale = inverse(static_cast<float>(out.q.scale_of(0)));
      const float scale = static_cast<float>(x.q.scale_of(0)) * inverse_scale, bias = -static_cast<float>(x.q.zero_point_of(0)) * scale;
      const float product = static_cast<float>(q) * scale, sum = fuses ? fused(static_cast<float>(q), scale, bias) : product + bias;
      const RoundedInteger rounded = to_integer(static_cast<double>(sum), Rounding::half_away);
      if (rounded.lost == Lost::half) events |= event::tie;
      v = rounded.value + static_cast<std::int64_t>(zo);
      if (v < range.min || v > range.max) events |= event::clamped;
      v = std::clamp(v, range.min, range.max);
    } else if (!bits && !nhwc && !scale_bias && (convert_equal || !alike(x, out))) {
      const float real = static_cast<float>(x.q.scale_of(0)) * static_cast<float>(q - x.q.integer_zero_point());
      v = quantize_value(rounding, real, out.q.scale_of(0), zo, stored, events);
      v = std::clamp(v, range.min, range.max);
    } else {
      v = std::clamp(v, range.min, range.max);
    }
    y.q[i] = static_cast<std::int32_t>(v);
  }
  return r;
}

Real real(const Layer& layer, const Result&) {
  const auto all = parts(layer);
  const auto from = std::make_shared<const std::vector<Source>>(sources(layer));
  return pointwise(static_cast<std::int64_t>(from->size()), [all, from]<class T>(std::int64_t i) -> T {
    const Source& s = (*from)[static_cast<std::size_t>(i)];
    return dequantized<T>(*all[static_cast<std::size_t>(s.tensor)], s.at);
  });
}

/// "cat_nhwc": ATen's fast path: rank 4, dim 1, every input channels last (also those whose strides are both).
/// "equal_qparams": no part needs to be converted.
void facts(const Layer& layer, std::set<std::string>& f) {
  const auto all = parts(layer);
  bool nhwc = axis(layer) == 1;
  for (const Tensor* t : all) {
    nhwc = nhwc && t->rank() == 4;
    if (!nhwc) break;
    const auto have = memory_strides(*t), want = memory_strides(t->shape, "NHWC");
    for (std::size_t a = 0; a < 4; ++a) nhwc = nhwc && (t->shape[a] == 1 || have[a] == want[a]);
  }
  if (nhwc) f.insert("cat_nhwc");
  if (std::all_of(all.begin(), all.end(), [&](const Tensor* t) { return alike(*t, layer.out()); })) f.insert("equal_qparams");
}

}  // namespace

Operator cat() {
  return {.name = "cat",
          .families = {},
          .formula = "y = x0, x1, ... along dim, each as clamp(round((x - zx) * sx / so) + zo)",
          .inputs = {{"x*", "any one type"}},
          .outputs = {{"y", "like x0"}},
          .attributes = {{"dim", "integer"}, {"activation", "none, relu or {min, max}"}, {"variant", "float (PT2E)"}},
          .rules = {"dequantize_quantize", "aten_nhwc", "scale_bias", "copy"},
          .check = check,
          .run = run,
          .real = real,
          .facts = facts};
}

}  // namespace lastbit::ops
