// quantize_rowwise: every row of a table by its own minimum and range: x = q * scale + bias
#include <algorithm>
#include <cmath>

#include "lib/error.hpp"
#include "lib/num/float.hpp"
#include "lib/num/round.hpp"
#include "lib/rules/pointwise.hpp"

namespace lastbit::ops {
namespace {

std::int64_t bits(const Layer& layer) {
  const std::int64_t b = layer.attributes.integer("bits");
  if (b != 8 && b != 4 && b != 2) throw Error(layer.place + ": attribute \"bits\"", "found " + std::to_string(b) + ", expected 8, 4 or 2");
  return b;
}

void check(const Layer& layer) {
  const Tensor& x = layer.in("x");
  if (x.rank() != 2 || !is_float(x.dtype)) throw Error(layer.place + ": input \"x\"", "found " + std::string(name(x.dtype)) + " " + to_string(x.shape) + ", expected floats [N, D]");
  const Tensor& y = layer.out();
  if (info(y.dtype).bits != bits(layer) || is_float(y.dtype)) throw Error(layer.place + ": output \"y\"", "found " + std::string(name(y.dtype)) + ", expected an integer type of as many bits as the attribute says");
  expect_shape(layer, "y", x.shape);
  expect_shape(layer, "bias", {x.dim(0)});
}

struct Row {
  float scale, bias, inverse;
};

// 8 bits: scale = f32(range / 255), bias = min, q = rne(f32((x - min) * f32(255 / f32(range + 1e-8)))): not the inverse scale.
// 4 and 2 bits: scale and min are float16 numbers, min rounded before the range is taken; q = rne(f32((x - min) * f32(1 / scale))).
Row row_of(std::span<const float> x, std::int64_t bits) {
  float lo = x.empty() ? 0.0f : x[0], hi = lo;
  for (const float v : x) lo = std::min(lo, v), hi = std::max(hi, v);
  if (bits == 8) {
    const float range = hi - lo, padded = range + 1e-8f;
    return {range / 255.0f, lo, 255.0f / padded};
  }
  const float least = half_to_float(float_to_half(lo)), range = hi - least;
  const float steps = static_cast<float>((1 << bits) - 1), wanted = range == 0.0f ? 1.0f : range / steps;
  float scale = half_to_float(float_to_half(wanted));
  if (scale == 0.0f) scale = 1.0f;
  if (std::isinf(1.0f / scale)) scale = 1.0f;
  return {scale, least, 1.0f / scale};
}

Result run(const Layer& layer, const Cell&) {
  const Tensor& x = layer.in("x");
  const auto values = x.f32();
  for (const float v : values)
    if (!std::isfinite(v)) throw Error(layer.place + ": input \"x\"", "found a value that is not finite, expected finite ones where qparams are chosen at run time");
  const std::int64_t b = bits(layer), N = x.dim(0), D = x.dim(1), most = (1 << b) - 1;
  Result r;
  Computed& y = r.outputs["y"] = quantized_output(x.shape);
  Computed& bias = r.outputs["bias"] = float_output({N});
  y.chosen = Quantization{};
  for (std::int64_t n = 0; n < N; ++n) {
    const std::span row(values.data() + n * D, static_cast<std::size_t>(D));
    const Row chosen = row_of(row, b);
    y.chosen->scale.push_back(static_cast<double>(chosen.scale));
    bias.f[static_cast<std::size_t>(n)] = chosen.bias;
    for (std::int64_t d = 0; d < D; ++d) {
      const auto at = static_cast<std::size_t>(n * D + d);
      const float above = row[static_cast<std::size_t>(d)] - chosen.bias, scaled = above * chosen.inverse;
      const RoundedInteger q = to_integer(static_cast<double>(scaled), Rounding::half_even);
      if (q.lost == Lost::half) y.events[at] |= event::tie;
      if (q.value < 0 || q.value > most) y.events[at] |= event::clamped;
      y.q[at] = static_cast<std::int32_t>(std::clamp<std::int64_t>(q.value, 0, most));
    }
  }
  return r;
}

}  // namespace

Operator quantize_rowwise() {
  return {.name = "quantize_rowwise",
          .families = {},
          .formula = "bias = min of the row; scale = range / (2^bits - 1); y = clamp(round((x - bias) / scale))",
          .inputs = {{"x", "float32 [N, D]"}},
          .outputs = {{"y", "uint8, uint4, uint2 with one scale a row, which is compared too"}, {"bias", "float32 [N]", true}},
          .attributes = {{"bits", "integer, one of 8, 4, 2"}},
          .rules = {"min_range"},
          .check = check,
          .run = run,
          .real = nullptr};
}

}  // namespace lastbit::ops
