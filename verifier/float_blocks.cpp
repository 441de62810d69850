// float_blocks.cpp: see float_blocks.hpp.
#include "verifier/float_blocks.hpp"

#include <algorithm>
#include <cmath>

#include "lib/kernels/float_tiles.hpp"
#include "lib/num/round.hpp"

namespace lastbit {
namespace {

void count_error(std::int64_t error, std::int64_t& mismatches, std::int64_t& largest) {
  if (error) ++mismatches, largest = std::max(largest, std::abs(error));
}

/// value / scale to the nearest integer, ties to even, plus the zero point, in the range: forms.cpp's by_hand(). A quotient beyond 2^20 is
/// beyond the range.
std::int32_t quantized(float value, float scale, std::int32_t zero_point, std::int32_t low, std::int32_t high) {
  constexpr float turn = 0x1.8p23f, far = 0x1p20f;
  const float t = std::clamp(value / scale, -far, far), whole = (t + turn) - turn;
  return std::clamp(static_cast<std::int32_t>(whole) + zero_point, low, high);
}

}  // namespace

FloatBlocks::FloatBlocks(const Layer& layer, const StoredPlan& plan, const RealLines& real) : plan_(plan), range_(activated_range(layer, layer.out())) {
  const Geometry& g = plan.request.geometry;
  const Tensor& y = layer.out();
  if (y.q.quantized()) scale_ = y.q.scale_of(0), zero_point_ = y.q.integer_zero_point();
  const AccumulationInput numbers = numbers_of(layer, g);
  double_ = float_constants<double>(layer, g, numbers);
  single_ = float_constants<float>(layer, g, numbers);
  // Every factor has one rounding, every product one, every sum one; the bias two; the quotient one. Operands of 8 bits differ from their
  // zero points by at most 383.
  double size = 0;
  for (std::size_t i = 0; i < real.multiplier.size(); ++i) size = std::max(size, static_cast<double>(g.terms()) * 383 * 383 * std::fabs(real.multiplier[i]) + std::fabs(real.offset[i]));
  const bool plain = real.known && range_.min == plan.context.min && range_.max == plan.context.max && std::abs(zero_point_) <= 255 && static_cast<float>(scale_) > 0 && std::isfinite(static_cast<float>(scale_));
  doubt_ = plain ? (size + 1024) * static_cast<double>(g.terms() + 16) * 0x1p-53 : HUGE_VAL;
}

void FloatBlocks::decide(std::int64_t at) {
  const std::int64_t channel = plan_.channel_of(at);
  double sum = 0;
  plan_.for_each_term(at, [&](std::int64_t, std::int64_t x, std::int64_t w, bool outside) {
    if (!outside) sum += double_.x(x) * double_.w(channel, w);
  });
  const double t = std::clamp(double_.finished(channel, sum) / scale_, -0x1p60, 0x1p60);
  count_error(plan_.observed_at(at) - std::clamp(rne(t) + zero_point_, range_.min, range_.max), summary_.float64_mismatches, summary_.float64_max_lsb);
}

FloatSummary FloatBlocks::summary() {
  const Geometry& g = plan_.request.geometry;
  const std::int64_t P = g.positions(), channels = plan_.order.channels;
  const auto scale = static_cast<float>(scale_);
  const auto zero_point = static_cast<std::int32_t>(zero_point_), low = static_cast<std::int32_t>(range_.min), high = static_cast<std::int32_t>(range_.max);
  if (single_.alpha == 1.0f)
    if (const auto totals = compare_float_tiles({plan_.request, single_.x_scale, single_.w_scale, single_.bias, scale, zero_point, low, high, plan_.observed, plan_.observed_signed})) {
      summary_.mismatches = totals->mismatches;
      summary_.max_lsb = totals->max_lsb;
      return summary_;
    }
  const auto out = float_outputs(plan_.request, single_);
  std::size_t i = 0;
  for (std::int64_t n = 0; n < g.batch; ++n)
    for (std::int64_t o = 0; o < channels; ++o)
      for (std::int64_t p = 0; p < P; ++p, ++i) {
        const std::int64_t at = plan_.order.channels_last ? (n * P + p) * channels + o : static_cast<std::int64_t>(i);
        count_error(plan_.observed_at(at) - quantized(out[i], scale, zero_point, low, high), summary_.mismatches, summary_.max_lsb);
      }
  return summary_;
}

}  // namespace lastbit
