// upsample_bilinear2d: y = h0 (w0 p00 + w1 p01) + h1 (w0 p10 + w1 p11) over the four neighbours of a source position
//
// step: align_corners f32(f32(in - 1) / f32(out - 1)) (0 for one output), else as in lib/rules/resample.hpp. The source
// position is step * o, or max(step * (o + 0.5) - 0.5, 0); its fraction is the weight h1 (w1), f32(1 - h1) is h0 (w0).
// All in float32, on codes p; v = the formula - zx; quantized with the scale f32(sy / sx):
//   planar          every product and sum rounded; rule `tail`. same_size = copied: an image that keeps its size is copied,
//                   whatever the scales say
//   channels_last   fused: the position fma(step, o + 0.5, -0.5);
//                   the first C / 8 * 8 channels: a = fma(w1, p1, f32(w0 p0)), v = fma(h1, a1, f32(h0 a0)) - zx, rule `body`
//                   the others:                   a = fma(w0, p0, f32(w1 p1)), v = fma(h0, a0, f32(h1 a1)) - zx, rule `tail`
//                   width = 0: no such body; fused = no: as planar
//
//   aten/src/ATen/native/quantized/cpu/UpSampleBilinear2d.cpp           upsample_bilinear2d_out_frame
//   aten/src/ATen/native/quantized/cpu/kernels/QuantizedOpKernels.cpp   qupsample_bilinear2d_nhwc_kernel
#include <algorithm>
#include <array>

#include "lib/error.hpp"
#include "lib/num/float.hpp"
#include "lib/rules/pointwise.hpp"
#include "lib/rules/quantize_value.hpp"
#include "lib/rules/resample.hpp"

namespace lastbit::ops {
namespace {

void check(const Layer& layer) {
  const Tensor &x = layer.in("x"), &y = layer.out();
  if (x.rank() != 4) throw Error(layer.place + ": input \"x\"", "found the shape " + to_string(x.shape) + ", expected [N, C, H, W]");
  if (is_float(x.dtype) || !x.q.quantized() || is_float(y.dtype) || !y.q.quantized()) throw Error(layer.place, "found a tensor that is not quantized, expected x and y to be");
  layer.attributes.boolean("align_corners", false);
  resampling_of(layer, 2);
}

/// Where one output position reads along an axis, and how much of the second element it takes.
struct Place {
  std::int64_t first, second;
  float w0, w1;
};

std::vector<Place> places(const Resampling& r, std::size_t axis, bool align, bool one_rounding) {
  const std::int64_t in = r.in[axis], out = r.out[axis];
  const float step = !align ? r.step(axis) : out > 1 ? static_cast<float>(in - 1) / static_cast<float>(out - 1) : 0.0f;
  std::vector<Place> all;
  for (std::int64_t o = 0; o < out; ++o) {
    const float middle = static_cast<float>(o) + 0.5f, product = step * (align ? static_cast<float>(o) : middle);
    const float at = align ? product : std::max(one_rounding ? fused(step, middle, -0.5f) : product - 0.5f, 0.0f);
    const std::int64_t first = at < static_cast<float>(in - 1) ? to_integer(static_cast<double>(at), Rounding::floor).value : in - 1;
    const float w1 = at - static_cast<float>(first);
    all.push_back({first, std::min(first + 1, in - 1), 1.0f - w1, w1});
  }
  return all;
}

enum class Order { plain, second_first, first_second };

/// a * b + c * d in the order a kernel was compiled to.
float blend(Order order, float a, float b, float c, float d) {
  const float left = a * b, right = c * d;
  switch (order) {
    case Order::plain: return left + right;
    case Order::second_first: return fused(c, d, left);
    case Order::first_second: return fused(a, b, right);
  }
  throw InternalError("a blend of no order");
}

Result run(const Layer& layer, const Cell& cell) {
  const Tensor &x = layer.in("x"), &out = layer.out();
  const Resampling r = resampling_of(layer, 2);
  const bool align = layer.attributes.boolean("align_corners", false);
  const bool one_rounding = cell.rule == "channels_last" && cell.get("fused", "yes") == "yes";
  const std::int64_t body_end = cell.rule == "channels_last" && cell.get("width", "8") != "0" ? x.dim(1) / 8 * 8 : 0;
  const QuantizeRule body = quantize_rule(cell.get("body", "outside"), layer.place), tail = quantize_rule(cell.get("tail", "outside"), layer.place);
  const auto rows = places(r, 0, align, one_rounding), columns = places(r, 1, align, one_rounding);
  const bool copied = cell.get("same_size") == "copied" && r.in == r.out;
  const float scale = static_cast<float>(out.q.scale_of(0) / x.q.scale_of(0)), zx = static_cast<float>(x.q.zero_point_of(0));
  const Range range = stored_range(out);
  const auto q = x.i32();
  Result result;
  Computed& y = result.outputs["y"] = quantized_output(out.shape);
  std::size_t at = 0;
  for (std::int64_t plane = 0; plane < x.dim(0) * x.dim(1); ++plane) {
    const bool in_body = plane % x.dim(1) < body_end;
    const Order order = !one_rounding ? Order::plain : in_body ? Order::second_first : Order::first_second;
    const std::int32_t* codes = q.data() + plane * x.dim(2) * x.dim(3);
    for (const Place& h : rows)
      for (const Place& w : columns) {
        const auto code = [&](std::int64_t i, std::int64_t j) { return static_cast<float>(codes[i * x.dim(3) + j]); };
        const float top = blend(order, w.w0, code(h.first, w.first), w.w1, code(h.first, w.second));
        const float bottom = blend(order, w.w0, code(h.second, w.first), w.w1, code(h.second, w.second));
        const float v = blend(order, h.w0, top, h.w1, bottom) - zx;
        y.q[at] = copied ? codes[(&h - rows.data()) * x.dim(3) + (&w - columns.data())] : static_cast<std::int32_t>(quantize_value(in_body ? body : tail, v, static_cast<double>(scale), out.q.zero_point_of(0), range, y.events[at]));
        ++at;
      }
  }
  return result;
}

/// A source position as the rational (first * below + above) / below.
struct Ratio {
  std::int64_t first, second, above, below;
};

/// From the sizes alone; a named scale goes through exact_weight.
Ratio ratio(const Resampling& r, std::size_t axis, bool align, std::int64_t o) {
  const std::int64_t in = r.in[axis], out = r.out[axis];
  std::int64_t above = 0, below = 1;
  if (align && out > 1) above = o * (in - 1), below = out - 1;
  if (!align) above = std::max<std::int64_t>((2 * o + 1) * in - out, 0), below = 2 * out;
  const std::int64_t first = std::min(above / below, in - 1);
  return {first, std::min(first + 1, in - 1), above - first * below, below};
}

bool named_scale(const Resampling& r, std::size_t axis, bool align) { return !align && !r.scales.empty() && r.scales[axis] > 0; }

template <class T>
struct Weight {
  std::int64_t first, second;
  T w1;
};

template <class T>
Weight<T> exact_weight(const Resampling& r, std::size_t axis, bool align, std::int64_t o) {
  if (named_scale(r, axis, align)) {
    const double at = std::max((static_cast<double>(o) + 0.5) / r.scales[axis] - 0.5, 0.0);
    const std::int64_t in = r.in[axis], first = at < static_cast<double>(in - 1) ? to_integer(at, Rounding::floor).value : in - 1;
    const T w1 = at > 0 ? T(static_cast<double>(o) + 0.5) / T(r.scales[axis]) - T(0.5) - T(static_cast<double>(first)) : T(0.0);
    return {first, std::min(first + 1, in - 1), w1};
  }
  const Ratio p = ratio(r, axis, align, o);
  return {p.first, p.second, T(static_cast<double>(p.above)) / T(static_cast<double>(p.below))};
}

Real real(const Layer& layer, const Result& result) {
  const Tensor& x = layer.in("x");
  Resampling plain = resampling_of(layer, 2);
  if (is_copied(layer, plain, result)) plain.scales.clear();
  const auto r = std::make_shared<const Resampling>(std::move(plain));
  const bool align = layer.attributes.boolean("align_corners", false);
  const std::int64_t high = r->out[0], wide = r->out[1];
  // Where the weights are ratios of small integers, the whole element is one integer, a scale and a divisor.
  const bool integers = !named_scale(*r, 0, align) && !named_scale(*r, 1, align) && high < (1 << 20) && wide < (1 << 20);
  return pointwise(x.dim(0) * x.dim(1) * high * wide, [&x, r, align, high, wide, integers]<class T>(std::int64_t i) -> T {
    const std::int64_t plane = i / wide / high * x.dim(2) * x.dim(3);
    if (!std::is_arithmetic_v<T> && integers) {
      const Ratio h = ratio(*r, 0, align, i / wide % high), w = ratio(*r, 1, align, i % wide);
      const auto code = [&](std::int64_t row, std::int64_t column) { return x.integer(plane + row * x.dim(3) + column) - x.q.integer_zero_point(); };
      const std::int64_t w0 = w.below - w.above, top = code(h.first, w.first) * w0 + code(h.first, w.second) * w.above;
      const std::int64_t bottom = code(h.second, w.first) * w0 + code(h.second, w.second) * w.above;
      return T(top * (h.below - h.above) + bottom * h.above) * T(x.q.scale_of(0)) / T(h.below * w.below);
    }
    const auto h = exact_weight<T>(*r, 0, align, i / wide % high), w = exact_weight<T>(*r, 1, align, i % wide);
    const auto value = [&](std::int64_t row, std::int64_t column) { return dequantized<T>(x, plane + row * x.dim(3) + column); };
    const T one(1.0), w0 = one - w.w1, h0 = one - h.w1;
    const T top = w0 * value(h.first, w.first) + w.w1 * value(h.first, w.second);
    const T bottom = w0 * value(h.second, w.first) + w.w1 * value(h.second, w.second);
    return h0 * top + h.w1 * bottom;
  });
}

void facts(const Layer& layer, std::set<std::string>& f) {
  const Tensor* x = layer.find("x");
  if (!x || x->rank() != 4) return;
  if (f.count("memory:NHWC") || x->dim(1) == 1 || (x->dim(2) == 1 && x->dim(3) == 1)) f.insert("channels_last");
}

}  // namespace

Operator upsample_bilinear2d() {
  return {.name = "upsample_bilinear2d",
          .families = {},
          .formula = "y = h0 (w0 p00 + w1 p01) + h1 (w0 p10 + w1 p11), p = (x - zx) * sx",
          .inputs = {{"x", "uint8, int8 [N, C, H, W]"}},
          .outputs = {{"y", "like x"}},
          .attributes = {{"output_size", "integers >= 1, 2 of them"}, {"align_corners", "true, false (false)"}, {"scales", "numbers > 0, 2 of them (output over input size)"}},
          .rules = {"planar", "channels_last"},
          .spatial = true,
          .check = check,
          .run = run,
          .real = real,
          .facts = facts};
}

}  // namespace lastbit::ops
