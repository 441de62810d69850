// float_contender.cpp: a rival that dequantizes, adds float32 products in an order of its own, and quantizes. See contender.hpp.
#include <algorithm>
#include <cmath>

#include "lib/error.hpp"
#include "lib/rules/float_products.hpp"
#include "lib/rules/quantize_value.hpp"
#include "lib/rules/unordered_sum.hpp"
#include "verifier/contender.hpp"

namespace lastbit {
namespace {

/// With R >= 4 roundings the interval of the sum holds the float32 next to the real number: that lies within 2^-24 (2 sum |x w| + |r|) of
/// the sum of the dequantized products' middle (every operand is one rounding off), and |r| <= sum |x w|. So the value of that
/// float32, at most a few roundings from r in LSB, is always allowed: only where r is so near a boundary is the interval itself asked.
class FloatSum : public Contender {
 public:
  FloatSum(const ContenderCase& c, QuantizeRule rule) : c_(c), plan_(c.plan), rule_(rule), relu_(float_relu(c.layer)), constants_(float_constants<float>(c.layer, c.plan.request.geometry, numbers_of(c.layer, c.plan.request.geometry))) {
    if (c.layer.find("bias")) bias_ = single_values(c.layer, "bias");
    const FloatSumDoubt d = float_sum_doubt(c.real, plan_.request.geometry);
    doubt_ = d.doubt, spread_ = d.spread;
  }

  bool allows(const Element& e) const override {
    if (surely(e) || (spread_ > 0 && both_sides(e))) return true;
    const std::int64_t channel = plan_.channel_of(e.at);
    UnorderedSum sum;
    plan_.for_each_term(e.at, [&](std::int64_t, std::int64_t x, std::int64_t w, bool outside) {
      if (!outside) sum.multiply_add(static_cast<double>(constants_.x(x)), static_cast<double>(constants_.w(channel, w)));
    });
    if (!bias_.empty()) sum.add(static_cast<double>(bias_[static_cast<std::size_t>(channel)]));
    const Tensor& y = c_.layer.out();
    const QuantizedRange v = quantized_range(sum, relu_, rule_, y.q.scale_of(0), y.q.zero_point_of(0), stored_range(y));
    return e.observed == v.value || (e.observed >= v.lo && e.observed <= v.hi);
  }

  double doubt() const override { return doubt_; }

 private:
  /// Whether the observed value is that of the real number v, and v is farther from a boundary than the float32 next to it may be: doubt_ as of
  /// numbers of this size.
  bool surely(const Element& e) const {
    const std::int64_t channel = plan_.channel_of(e.at);
    const double a = c_.real.offset_of(channel), v = static_cast<double>(e.acc) * c_.real.multiplier_of(channel) + a, floor = std::floor(v), above = v - floor - 0.5;
    if (std::isinf(doubt_) || std::fabs(above) <= (std::fabs(v) + 2 * std::fabs(a) + 1) * 0x1p-20 + c_.real.bound) return false;
    return static_cast<double>(e.observed) == std::clamp(above < 0 ? floor : floor + 1, c_.real.low, c_.real.high);
  }

  /// Whether the interval surely reaches over the boundary next to the real number v, and the observed value is on one of its sides: it
  /// reaches (R - 4) * 2^-24 * sum |x w| from v. That sum is at least |v| itself, without the zero point, and at least what some terms come to.
  bool both_sides(const Element& e) const {
    const std::int64_t channel = plan_.channel_of(e.at);
    const double m = c_.real.multiplier_of(channel), v = static_cast<double>(e.acc) * m + c_.real.offset_of(channel), floor = std::floor(v), q = static_cast<double>(e.observed);
    if (q != std::clamp(floor, c_.real.low, c_.real.high) && q != std::clamp(floor + 1, c_.real.low, c_.real.high)) return false;
    const double needed = (std::fabs(v - floor - 0.5) + doubt_) / spread_;
    if (needed <= std::fabs(v - c_.layer.out().q.zero_point_of(0))) return true;
    const std::int64_t x_zero_point = plan_.request.operands.x_zero_point, w_zero_point = plan_.w_zero_point_of(channel);
    const double least = needed / m;  // m > 0 where it is known
    std::int64_t size = 0;
    plan_.for_terms_while(e.at, [&](std::int64_t, std::int64_t x, std::int64_t w, bool outside) {
      if (!outside) size += std::abs((x - x_zero_point) * (w - w_zero_point));
      return static_cast<double>(size) < least;
    });
    return static_cast<double>(size) >= least;
  }

  const ContenderCase& c_;
  const StoredPlan& plan_;
  QuantizeRule rule_;
  bool relu_;
  FloatConstants<float> constants_;          // of the operands; the rule's own bias is:
  std::vector<float> bias_;                  // per channel, or none
  double doubt_ = HUGE_VAL, spread_ = 0;
};

}  // namespace

FloatSumDoubt float_sum_doubt(const RealLines& real, const Geometry& g) {
  // Taps inside the input of the position that has fewest: axis by axis.
  std::int64_t least = 1;
  for (int axis = 0; axis < 3; ++axis) {
    const auto a = static_cast<std::size_t>(axis);
    std::int64_t fewest = g.kernel[a];
    for (std::int64_t o = 0; o < g.out[a]; ++o) fewest = std::min(fewest, taps_inside(g, axis, o));
    least *= fewest;
  }
  if (!real.known || least * g.in_channels < 4) return {};
  double far = 512;
  for (const double a : real.offset) far = std::max(far, 512 + std::fabs(a));
  return {far * 0x1p-20, static_cast<double>(least * g.in_channels - 4) * 0x1p-24};
}

std::unique_ptr<Contender> float_contender(const ContenderCase& c, const RivalCell& rival, StageBinder&) {
  if (rival.cell.rule != "float") return nullptr;
  const Tensor &x = c.layer.in("x"), &w = c.layer.in("weight"), &y = c.layer.out();
  if (!x.q.quantized() || !w.q.quantized()) throw Error(c.layer.place, "found integers without a scale, expected quantized operands in a float operator");
  const bool by_channel = w.q.scale.size() == 1 || (w.q.axis == 0 && !c.plan.request.geometry.transposed);
  // The rule knows no alpha: its real number would be another one.
  if (c.layer.attributes.number("alpha", 1.0) != 1.0 || x.q.scale.size() != 1 || y.q.scale.size() != 1 || !by_channel) return nullptr;
  return std::make_unique<FloatSum>(c, quantize_rule(rival.cell.get("rounding", "outside"), c.layer.place));
}

}  // namespace lastbit
