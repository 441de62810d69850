// hardswish: y = x * min(max(x + 3, 0), 6) / 6; see lib/rules/activation.hpp
#include <algorithm>
#include <cmath>

#include "lib/error.hpp"
#include "lib/num/fixed.hpp"
#include "lib/num/float.hpp"
#include "lib/rules/activation.hpp"
#include "lib/rules/aten_kernel.hpp"
#include "lib/rules/gemmlowp.hpp"
#include "lib/rules/limits.hpp"
#include "lib/rules/pointwise.hpp"
#include "lib/rules/vector_width.hpp"

namespace lastbit::ops {
namespace {

float hardswish_of(const std::string&, float x) {
  const float shifted = x + 3.0f;
  return x * std::fmin(std::fmax(shifted, 0.0f), 6.0f) / 6.0f;
}

void check(const Layer& layer) { check_activation(layer); }
/// A float32 multiplier as 16 bits and an exponent.
struct Multiplier16 {
  std::int64_t m;
  int exponent;
};
Multiplier16 multiplier16(float real) {
  const FixedMultiplier f = quantize_multiplier(static_cast<double>(real));
  return {f.m >= std::numeric_limits<std::int32_t>::max() - (1 << 15) ? 32767 : (std::int64_t{f.m} + (1 << 15)) >> 16, f.shift};
}

// "gemmlowp16" TFLite: v = (q - zi) * 128; p = v * (si / 128 / so) without its last shift; r = v rescaled so that 3 is 2^15,
// saturated, moved to [0, 1]; y = halved(r * p cut toward zero) + zo, which wraps at 16 bits   (reference/hard_swish.h)
// with "vector": what fills whole vectors of so many elements, counted through the tensor, floors r * p and halves half up where
// the rest cuts and halves half away: NEON's vqdmulh and vrshl   (optimized_ops.h, HardSwish)
Result run(const Layer& layer, const Cell& cell) {
  if (cell.rule != "gemmlowp16") return run_activation(layer, cell, hardswish_of);
  const Tensor &x = layer.in("x"), &out = layer.out();
  if (info(x.dtype).bits != 8) throw Error(layer.place, "found " + std::string(name(x.dtype)) + ", expected uint8 or int8 for the rule gemmlowp16");
  const float hires = (1.0f / 128.0f) * static_cast<float>(x.q.scale_of(0));
  const Multiplier16 output = multiplier16(hires / static_cast<float>(out.q.scale_of(0))), reluish = multiplier16(hires / (3.0f / 32768.0f));
  if (output.exponent > 0 || output.exponent < -31) throw Error(layer.place, "found an output scale below 1/128 of the input's, expected a larger one");
  const std::int64_t zo = out.q.integer_zero_point();
  const Range range = stored_range(out);
  const std::int64_t vector = vector_width(layer, cell, 0), whole = vector > 0 ? x.size() - x.size() % vector : 0;
  std::vector<char> body(whole > 0 ? static_cast<std::size_t>(x.size()) : 0);
  std::fill_n(body.begin(), static_cast<std::size_t>(whole), char{1});
  return map_values(x, out.shape, body, [&](std::int64_t q, bool in_vector) {
    Mapped m;
    const auto down = [&](std::int64_t a, int exponent) { return in_vector ? static_cast<std::int64_t>(shift_right(a, -exponent, Rounding::half_up).value) : gemmlowp::multiply_by_power_of_two(a, exponent, 16); };
    const std::int64_t v = wrap((q - x.q.integer_zero_point()) * 128, 16), p = gemmlowp::multiply(v, output.m, 16);
    std::int64_t r = v;
    const auto shifted = [](std::int64_t a, int n) { return saturate(Wide{a} << std::min(n, 40), 16); };
    if (reluish.exponent > 0) r = shifted(r, reluish.exponent - 1);
    r = gemmlowp::multiply(r, reluish.m, 16);
    if (reluish.exponent > 0) r = shifted(r, 1);
    if (reluish.exponent < 0) r = down(r, reluish.exponent);
    r = (r + 32768) >> 1;
    const std::int64_t y = wrap(down(in_vector ? r * p >> 15 : r * p / 32768, output.exponent) + zo, 16);
    if (y < range.min || y > range.max) m.events |= event::clamped;
    m.q = static_cast<std::int32_t>(std::clamp(y, range.min, range.max));
    return m;
  });
}

Real real(const Layer& layer, const Result&) {
  const Tensor& x = layer.in("x");
  return pointwise(x.size(), [&x]<class T>(std::int64_t i) -> T {
    const T v = dequantized<T>(x, i);
    return v * min(max(v + T(3), T(0)), T(6)) / T(6);
  });
}

}  // namespace

Operator hardswish() {
  return {.name = "hardswish",
          .families = {"activation"},
          .formula = "y = x * min(max(x + 3, 0), 6) / 6",
          .inputs = {{"x", "uint8, int8, int16"}},
          .outputs = {{"y", "like x"}},
          .attributes = {},
          .rules = {"aten", "lut", "gemmlowp16"},
          .check = check,
          .run = run,
          .real = real};
}

}  // namespace lastbit::ops
