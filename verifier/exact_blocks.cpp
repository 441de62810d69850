// exact_blocks.cpp: see exact_blocks.hpp.
#include "verifier/exact_blocks.hpp"

#include <algorithm>
#include <cmath>

#include "lib/num/sign.hpp"
#include "reports/rounded.hpp"

namespace lastbit {
namespace {

const Names& of(const RequantizeContext& c, std::int64_t channel) { return c.channels[c.channels.size() == 1 ? 0 : static_cast<std::size_t>(channel)]; }

}  // namespace

RealLines real_lines(const Layer& layer, const RequantizeContext& context) {
  RealLines r;
  const Tensor& y = layer.out("y");
  if (context.activation == "leaky_relu" || context.activation == "tanh" || is_float(y.dtype) || y.q.scale.size() > 1 || context.channels.empty()) return r;
  const Range range = activated_range(layer, y);
  r.low = static_cast<double>(range.min);
  r.high = static_cast<double>(range.max);
  double far = 0;
  r.known = true;
  for (const auto& n : context.channels) {
    const double so = n.at("so"), zo = n.at("zo"), m = n.at("si") * n.at("sw") * n.at("alpha") / so, b = n.at("bias") * n.at("sb") / so;
    r.multiplier.push_back(m);
    r.offset.push_back(b + zo);
    far = std::max(far, std::fabs(b) + std::fabs(zo));
    r.known = r.known && m > 0x1p-100 && m < 0x1p10 && std::fabs(b) < 0x1p30;
  }
  r.multiplier32.assign(r.multiplier.begin(), r.multiplier.end());
  r.offset32.assign(r.offset.begin(), r.offset.end());
  // |v| <= 512 where no clamp decides: acc * m has 4 roundings, the offset at most 5, their sum one.
  r.bound = 8 * (1024 + 3 * far) * 0x1p-53;
  r.bound32 = static_cast<float>(8 * (1024 + 3 * far) * 0x1p-24);
  double largest = 0;
  for (const double m : r.multiplier) largest = std::max(largest, (std::max(std::fabs(r.low), std::fabs(r.high)) + far + 2) / m);
  r.largest_inside = largest < 0x1p31 ? static_cast<std::int64_t>(largest) : 0x7FFFFFFF;
  return r;
}

std::int64_t near_boundary(const RealLines& real, const NearRequest& r, std::int64_t channel, std::uint16_t* near) {
  const bool one = real.multiplier.size() == 1;
  const auto at = one ? 0 : static_cast<std::size_t>(channel);
  return find_near({r.acc, r.n, r.runs, r.acc_step, real.multiplier32.data() + at, real.offset32.data() + at, one ? 0 : r.line.step, one ? 0 : r.line.run_step}, static_cast<float>(r.doubt) * 1.0001f + real.bound32, near);
}

ExactBlocks::ExactBlocks(const Layer& layer, const RequantizeContext& context, const RealLines& real, std::int64_t channels) : context_(context), real_(real) {
  split_ = real.largest_inside <= 1 << 24;
  for (std::size_t line = 0; line < real.multiplier.size(); ++line) enter(real.multiplier[line], real.offset[line]);
  const auto one_each = [&](auto&... of_channels) { (of_channels.resize(static_cast<std::size_t>(channels), of_channels[0]), ...); };  // one line may stand for all
  one_each(multiplier_, offset_, multiplier32_, multiplier_rest_, offset32_, offset_rest_, least_, most_);
  inside_.resize(static_cast<std::size_t>(channels));
  const Tensor* bias = layer.find("bias");
  bias_by_product_ = bias && !is_float(bias->dtype) && !bias->q.quantized();
}

void ExactBlocks::enter(double multiplier, double offset) {
  multiplier_.push_back(multiplier), offset_.push_back(offset);
  multiplier32_.push_back(static_cast<float>(multiplier)), multiplier_rest_.push_back(static_cast<float>(multiplier - static_cast<double>(multiplier32_.back())));
  constexpr double shift = 0x1.8p38;  // a sum with it is a multiple of 2^-14
  const double steps = (offset + shift) - shift;
  split_ = split_ && std::fabs(offset) < 512;
  offset32_.push_back(static_cast<float>(steps)), offset_rest_.push_back(static_cast<float>(offset - steps));
  // The quotient is one off at most: real numbers grow with the sum.
  const auto value = [&](double sum) { return sum * multiplier + offset; };
  const double inverse = 1 / multiplier;
  double least = std::ceil((real_.low - offset) * inverse), most = std::floor((real_.high - offset) * inverse);
  if (value(least - 1) >= real_.low) --least;
  else if (value(least) < real_.low) ++least;
  if (value(most + 1) <= real_.high) ++most;
  else if (value(most) > real_.high) --most;
  constexpr double first = -0x1p31, last = 0x1p31 - 1;
  least_.push_back(static_cast<std::int32_t>(std::clamp(least, first, last)));
  most_.push_back(static_cast<std::int32_t>(std::clamp(most, first, last)));
}

std::int64_t ExactBlocks::add(NearRequest r, std::int64_t channel, std::uint16_t* near) {
  r.line.multiplier = multiplier_.data() + channel;
  r.line.offset = offset_.data() + channel;
  if (split_) r.split = {multiplier32_.data() + channel, multiplier_rest_.data() + channel, offset32_.data() + channel, offset_rest_.data() + channel, nullptr, nullptr};
  r.split.least = least_.data() + channel, r.split.most = most_.data() + channel;
  r.low = real_.low;
  r.high = real_.high;
  r.bound = real_.bound;
  r.inside = inside_.data() + channel;
  r.largest_inside = real_.largest_inside;
  r.doubt = std::max(r.doubt, real_.bound);
  return measure(r, near, totals_);
}

Exact ExactBlocks::real(std::int64_t acc, std::int64_t channel) const {
  const Names& n = of(context_, channel);
  const Exact scale = Exact(n.at("si")) * Exact(n.at("sw"));
  return Exact(acc) * scale * Exact(n.at("alpha")) + Exact(n.at("bias")) * (bias_by_product_ ? scale : Exact(n.at("sb")));
}

int ExactBlocks::side_of(std::int64_t acc, std::int64_t channel, double floor) {
  const auto c = context_.channels.size() == 1 ? 0 : static_cast<std::size_t>(channel);
  if (factors_.empty()) factors_.resize(context_.channels.size());
  auto& f = factors_[c];
  if (!f) {
    const Names& n = context_.channels[c];
    f = {{{n.at("si"), n.at("sw"), n.at("alpha")}, bias_by_product_ ? std::array{n.at("bias"), n.at("si"), n.at("sw")} : std::array{n.at("bias"), n.at("sb"), 1.0}, n.at("so"), n.at("zo")}};
  }
  const Product all[] = {{static_cast<double>(acc), f->product[0], f->product[1], f->product[2]}, {f->bias[0], f->bias[1], f->bias[2], 1}, {-floor - 0.5, f->scale, 1, 1}, {f->zero_point, f->scale, 1, 1}};
  if (const auto sign = sign_of_sum(all)) return *sign;
  return real(acc, channel).compare_middle((Exact(floor) + Exact(0.5) - Exact(f->zero_point)) * Exact(f->scale));
}

void ExactBlocks::decide(std::int64_t acc, std::int64_t stored, std::int64_t channel) {
  const double v = static_cast<double>(acc) * real_.multiplier_of(channel) + real_.offset_of(channel), floor = std::floor(v);
  if (std::fabs(v - floor - 0.5) > real_.bound) return;  // add() has counted it
  const auto q = static_cast<double>(stored);
  const auto inside = [&](double x) { return std::clamp(x, real_.low, real_.high); };
  if (v < real_.low - 1 - real_.bound || v > real_.high + 1 + real_.bound) {
    wrong_ += q != inside(v);
    return;
  }
  const int side = side_of(acc, channel, floor);
  if (side == 0) {
    ++ties_;
    wrong_ += inside(floor) != q && inside(floor + 1) != q;
  } else {
    wrong_ += inside(side < 0 ? floor : floor + 1) != q;
  }
}

ExactSummary summary_of(const NearTotals& totals, double low, double high, double inside) {
  ExactSummary s;
  s.max_error_lsb = rounded(totals.largest);
  const double sum = static_cast<double>(totals.stored) - low * static_cast<double>(totals.below) - high * static_cast<double>(totals.above) - inside;
  s.mean_error_lsb = totals.elements ? rounded(sum / static_cast<double>(totals.elements)) : 0;
  s.not_correctly_rounded = totals.wrong;
  s.histogram.assign(totals.histogram.begin(), totals.histogram.end());
  return s;
}

ExactSummary ExactBlocks::summary() const {
  double inside = 0;
  for (std::size_t c = 0; c < inside_.size(); ++c) inside += multiplier_[c] * static_cast<double>(inside_[c].sum) + offset_[c] * static_cast<double>(inside_[c].count);
  ExactSummary s = summary_of(totals_, real_.low, real_.high, inside);
  s.ties = ties_;
  s.not_correctly_rounded += wrong_;
  return s;
}

}  // namespace lastbit
