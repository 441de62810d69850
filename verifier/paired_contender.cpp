// paired_contender.cpp: a rival whose products share 16-bit registers, two by two. See contender.hpp.
#include <algorithm>
#include <cmath>

#include "lib/kernels/pair_excess.hpp"
#include "lib/num/int.hpp"
#include "lib/rules/pairs.hpp"
#include "verifier/contender.hpp"

namespace lastbit {
namespace {

/// Where pairs saturate the sum is another one; everywhere else the rival is its stages on the layer's sum.
class Paired : public Contender {
 public:
  Paired(const ContenderCase& c, const RivalCell& rival, StageBinder& bind)
      : plan_(c.plan), g_(c.plan.request.geometry), in_(c.plan.request.operands), own_stages_(rival.cell.stages == c.cell.stages), stages_(rival.cell.stages),
        requantize_(bind(rival.cell.stages)), doubt_(own_stages_ ? 0 : doubt_of(requantize_, c)) {
    // Only oneDNN's choice of a kernel asks for the instruction set.
    segments_ = pair_segments(rival.cell.get("pair_order") == "onednn" ? as_rival(c.layer, c.op, rival) : c.layer, rival.cell, g_);
    offset_ = pair_offset(rival.cell);
    factor_ = pair_factor(rival.cell);
    outside_ = pair_outside(rival.cell, in_.x_zero_point);
  }

  bool allows(const Element& e) const override {
    if (!own_stages_ && value(e.acc, e.channel) != e.observed) {
      const std::int64_t sum = paired_sum(e.at);
      return sum != e.acc && value(sum, e.channel) == e.observed;
    }
    return true;  // a saturated pair is found by allows_the_rest()
  }

  double doubt() const override { return doubt_; }
  bool needs_all_channels() const override { return has_lanes(stages_); }

  bool allows_the_rest() const override {
    bool all = true;
    visit_pair_excess(plan_.request, segments_, outside_, offset_, [&](const PairExcess& e) {
      const std::int64_t at = plan_.order.channels_last ? (e.n * g_.positions() + e.position) * plan_.order.channels + e.channel : (e.n * plan_.order.channels + e.channel) * g_.positions() + e.position;
      all = value(paired_sum(at), e.channel) == plan_.observed_at(at);
      return all;
    });
    return all;
  }

 private:
  std::int64_t value(std::int64_t acc, std::int64_t channel) const {
    Events ignored = 0;
    return requantize_(acc, channel, ignored);
  }

  /// The sum of one output element, its terms read where they are stored.
  std::int64_t paired_sum(std::int64_t at) const {
    const std::size_t terms = static_cast<std::size_t>(g_.terms());
    x_.assign(terms, outside_);
    w_.resize(terms);
    std::int64_t sum = 0;
    const std::int64_t wz = plan_.w_zero_point_of(plan_.channel_of(at));
    plan_.for_each_term(at, [&](std::int64_t k, std::int64_t x, std::int64_t w, bool outside) {
      const auto i = static_cast<std::size_t>(k);
      w_[i] = w;
      if (outside) return;
      x_[i] = x + offset_;
      sum += (x - in_.x_zero_point) * (w - wz);
    });
    for (const auto& s : segments_)
      for (std::size_t i = 0; i + 1 < s.size(); i += 2) {
        const auto a = static_cast<std::size_t>(s[i]), b = static_cast<std::size_t>(s[i + 1]);
        const std::int64_t product = x_[a] * w_[a] + x_[b] * w_[b];
        sum += factor_ * (saturate(product, 16) - product);
      }
    return wrap32(sum);
  }

  const StoredPlan& plan_;
  const Geometry& g_;
  const StoredOperands& in_;
  bool own_stages_;
  std::vector<std::string> stages_;
  Requantizer requantize_;
  double doubt_;
  std::vector<Segment> segments_;
  std::int32_t offset_ = 0, outside_ = 0;
  std::int64_t factor_ = 1;
  mutable std::vector<std::int64_t> x_, w_;  // of the element looked at
};

}  // namespace

std::unique_ptr<Contender> paired_contender(const ContenderCase& c, const RivalCell& rival, StageBinder& bind) {
  const Cell& r = rival.cell;
  if (r.rule != "accumulate" || r.get("pairs") != "int16" || r.get("accumulator", "int32") != "int32" || !r.get("register").empty() || !r.get("tail_rule").empty() || !r.get("bounds").empty()) return nullptr;
  if (r.get("bound") != c.cell.get("bound") && c.layer.is("activation:relu6")) return nullptr;
  return std::make_unique<Paired>(c, rival, bind);
}

}  // namespace lastbit
