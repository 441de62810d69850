// float_blocks.cpp: see float_blocks.hpp.
#include "verifier/float_blocks.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "lib/kernels/float_tiles.hpp"
#include "lib/kernels/layout.hpp"
#include "lib/kernels/signed_sums.hpp"
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

FloatBlocks::FloatBlocks(const Layer& layer, const StoredPlan& plan, const RealLines& real) : plan_(plan), range_(activated_range(layer, layer.out())), real_(real) {
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
  // No product or quotient is subnormal or leaves float32.
  const auto fits = [](double scale) { return scale >= 0x1p-90 && scale <= 0x1p60; };
  few_ = plain && single_.alpha == 1.0f && g.terms() <= 1 << 15 && fits(single_.x_scale) && fits(scale_) &&
         std::all_of(single_.w_scale.begin(), single_.w_scale.end(), [&](double scale) { return fits(scale) && fits(single_.x_scale * scale); });
  for (const double b : real.offset) far_ = std::max(far_, std::fabs(b - static_cast<double>(zero_point_)));
}

bool FloatBlocks::margins(const SumBlock& b, bool scattered, Line& line, const std::int32_t*& peak) {
  constexpr double u = 0x1p-24;
  constexpr std::int64_t few_terms = 32;
  const auto K = static_cast<double>(plan_.request.geometry.terms());
  if (scattered || (!b.terms && plan_.request.geometry.terms() > few_terms)) few_ = false;
  if (!few_) return false;
  // Beyond |v| = 512 a clamp decides. Two roundings of the quotient, one of the scale; three of the bias and one of what it is added to.
  const double tail = 4 * u * (512 + far_);
  if (!b.terms && size_.empty()) size_ = sizes();
  const std::int64_t channels = line.step ? b.length : line.run_step ? b.runs : 1, first = plan_.channel_of(b.first);
  multiplier_.resize(static_cast<std::size_t>(channels));
  offset_.resize(static_cast<std::size_t>(channels));
  for (std::int64_t c = 0; c < channels; ++c) {
    const double m = real_.multiplier_of(first + c), size = b.terms ? b.terms->x_norm * b.terms->w_norm[c] : size_[static_cast<std::size_t>(first + c)];
    multiplier_[static_cast<std::size_t>(c)] = b.peak ? 1.01 * u * K * m : 0;
    offset_[static_cast<std::size_t>(c)] = 1.01 * u * m * size * ((b.peak ? 0.5 * static_cast<double>(b.terms->between) : K) + 6 + K * K * u) + tail;
  }
  line.multiplier = multiplier_.data();
  line.offset = offset_.data();
  peak = b.peak ? b.peak : b.acc;
  return true;
}

/// What sum |x w| of a channel is at most, whatever its x.
std::vector<double> FloatBlocks::sizes() const {
  const StoredOperands& in = plan_.request.operands;
  const bool negative = is_signed(in.x_dtype);  // a byte, whatever a narrower type may hold
  const std::int64_t terms = plan_.request.geometry.terms(), most = std::max(std::abs((negative ? -128 : 0) - in.x_zero_point), std::abs((negative ? 127 : 255) - in.x_zero_point));
  std::vector<double> sizes;
  for (std::int64_t o = 0; o < plan_.order.channels; ++o) {
    const SignedSums w = signed_sums(in.w_dtype, in.w + o * terms, terms, static_cast<std::int32_t>(plan_.w_zero_point_of(o)));
    sizes.push_back(static_cast<double>(most * (w.positive - w.negative)));
  }
  return sizes;
}

void FloatBlocks::decide32(const SumBlock& b, std::int64_t run, std::int64_t i) {
  const std::int64_t at = b.first + run * b.step + i, channel = plan_.channel_of(at);
  if (!b.terms) {
    float sum = 0;
    plan_.for_each_term(at, [&](std::int64_t, std::int64_t x, std::int64_t w, bool outside) {
      if (outside) return;
      const float product = single_.x(x) * single_.w(channel, w);
      sum = sum + product;
    });
    return count32(at, sum);
  }
  const bool across = plan_.order.channels_last;
  rows_.push_back({b.terms->x + b.terms->pixels[across ? run : i], b.terms->w + (across ? i : run) * b.terms->w_stride, single_.w_scale[single_.w_scale.size() == 1 ? 0 : static_cast<std::size_t>(channel)]});
  at_.push_back(at);
  if (static_cast<std::int64_t>(rows_.size()) == float_rows) batch(b);
}

void FloatBlocks::done(const SumBlock& b) {
  if (!rows_.empty()) batch(b);
}

void FloatBlocks::batch(const SumBlock& b) {
  std::array<float, float_rows> sums;
  float_row_sums(rows_.data(), static_cast<std::int64_t>(rows_.size()), b.terms->segments, b.terms->segment_count, b.terms->x_zero_point, single_.x_scale, sums.data());
  for (std::size_t k = 0; k < rows_.size(); ++k) count32(at_[k], sums[k]);
  rows_.clear();
  at_.clear();
}

void FloatBlocks::count32(std::int64_t at, float sum) {
  const auto zero_point = static_cast<std::int32_t>(zero_point_), low = static_cast<std::int32_t>(range_.min), high = static_cast<std::int32_t>(range_.max);
  count_error(plan_.observed_at(at) - quantized(single_.finished(plan_.channel_of(at), sum), static_cast<float>(scale_), zero_point, low, high), summary_.mismatches, summary_.max_lsb);
}

void FloatBlocks::decide(std::int64_t at, std::int32_t acc) {
  const std::int64_t channel = plan_.channel_of(at);
  const double v = static_cast<double>(acc) * real_.multiplier_of(channel) + real_.offset_of(channel);
  if (std::fabs(v - std::floor(v) - 0.5) > doubt_ * 1.01 + real_.bound) {  // the nearest value, which the layer's own stages may have missed
    const double nearest = std::floor(std::clamp(v, -0x1p30, 0x1p30) + 0.5);
    count_error(plan_.observed_at(at) - std::clamp(static_cast<std::int64_t>(nearest), range_.min, range_.max), summary_.float64_mismatches, summary_.float64_max_lsb);
    return;
  }
  double sum = 0;
  plan_.for_each_term(at, [&](std::int64_t, std::int64_t x, std::int64_t w, bool outside) {
    if (!outside) sum += double_.x(x) * double_.w(channel, w);
  });
  const double t = std::clamp(double_.finished(channel, sum) / scale_, -0x1p60, 0x1p60);
  count_error(plan_.observed_at(at) - std::clamp(rne(t) + zero_point_, range_.min, range_.max), summary_.float64_mismatches, summary_.float64_max_lsb);
}

FloatSummary FloatBlocks::summary() {
  if (few_) return summary_;
  summary_.mismatches = summary_.max_lsb = 0;
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
