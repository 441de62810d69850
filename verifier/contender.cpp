// contender.cpp: stages on the layer's sums. See contender.hpp.
#include "verifier/contender.hpp"

#include <algorithm>
#include <cmath>

#include "lib/profile/nearest.hpp"
#include "lib/rules/amx.hpp"
#include "lib/rules/inexact.hpp"

namespace lastbit {
namespace {

constexpr double widest_doubt = 0x1p-5;   // LSB: a rival that may lie farther from the real number is asked about every element

/// Keys of a cell that choose the sum.
bool same_sums(const ContenderCase& c, const Cell& other) {
  if (other.rule != "accumulate" && other.rule != "either_order") return false;
  for (const char* key : {"accumulator", "pairs", "pair_order", "pair_offset", "pair_beyond", "kernels"})
    if (other.get(key, "none") != c.cell.get(key, "none")) return false;
  return other.get("bound") == c.cell.get("bound") || !c.layer.is("activation:relu6");  // the bound of a relu6 is a constant of its own
}

using Ways = std::vector<std::vector<std::string>>;  // lists of stages

/// One list of stages, or two that a runtime chooses between.
class Staged : public Contender {
 public:
  Staged(const ContenderCase& c, const Ways& ways, StageBinder& bind) : lanes_(has_lanes(ways[0])) {
    for (const auto& stages : ways) {
      ways_.push_back(bind(stages));
      doubt_ = std::max(doubt_, doubt_of(ways_.back(), c));
    }
  }
  bool allows(const Element& e) const override {
    Events ignored = 0;
    std::int64_t low = ways_[0](e.acc, e.channel, ignored), high = low;
    for (std::size_t i = 1; i < ways_.size(); ++i) {
      const std::int64_t other = ways_[i](e.acc, e.channel, ignored);
      low = std::min(low, other), high = std::max(high, other);
    }
    return e.observed >= low && e.observed <= high;
  }
  double doubt() const override { return doubt_; }
  bool needs_all_channels() const override { return lanes_; }

 protected:
  std::vector<Requantizer> ways_;
  double doubt_ = 0;
  bool lanes_;
};

/// What TOSA's inexact rounding allows: see lib/rules/inexact.hpp.
class Inexact : public Staged {
 public:
  using Staged::Staged;
  bool allows(const Element& e) const override {
    if (Staged::allows(e)) return true;
    const RequantizeContext& context = ways_[0].context();
    const Names& n = context.channels[context.channels.size() == 1 ? 0 : static_cast<std::size_t>(e.channel)];
    Computed y;
    y.events.resize(1);
    add_inexact(y, 0, ways_[0].with_bias(e.acc, e.channel), quantize_multiplier(n.at("si") * n.at("sw") / n.at("so")), static_cast<std::int64_t>(n.at("zo")), {context.min, context.max});
    const auto observed = static_cast<double>(e.observed);
    return std::any_of(y.undefined.begin(), y.undefined.end(), [&](const Interval& u) { return observed >= u.lo && observed <= u.hi; });
  }
};

}  // namespace

bool has_lanes(const std::vector<std::string>& stages) {
  return std::any_of(stages.begin(), stages.end(), [](const std::string& s) { return s.rfind("fixed ", 0) == 0 && s.find('/') < s.find(' ', 6); });
}

double doubt_of(const Requantizer& stages, const ContenderCase& c) {
  const RequantizeContext& context = stages.context();
  if (!c.real.known || context.channels.size() != c.real.multiplier.size()) return HUGE_VAL;  // m > 0 where it is known
  const std::size_t n = context.channels.size();
  std::vector<double> far(n);
  for (std::size_t i = 0; i < n; ++i) far[i] = (512 + std::fabs(c.real.offset[i])) / c.real.multiplier[i];
  const auto nearest = nearest_of(stages, far, static_cast<double>(c.plan.request.geometry.terms()) * 0x1p17);
  if (!nearest) return HUGE_VAL;
  double most = 0;
  for (std::size_t i = 0; i < n; ++i)
    most = std::max(most, nearest->error[i] + std::fabs(nearest->multiplier[i] - c.real.multiplier[i]) * far[i] + std::fabs(nearest->offset[i] - c.real.offset[i]));
  return most <= widest_doubt ? most : HUGE_VAL;
}

bool same_arithmetic(const ContenderCase& c, const RivalCell& rival) {
  const Cell& r = rival.cell;
  if (same_rule(r, c.cell)) return true;
  return r.rule == "accumulate" && same_sums(c, r) && r.get("bounds").empty() && r.get("tail_rule").empty() && r.stages == c.cell.stages;
}

std::unique_ptr<Contender> staged_contender(const ContenderCase& c, const RivalCell& rival, StageBinder& bind) {
  const Cell& r = rival.cell;
  if (!same_sums(c, r) || !r.get("register").empty() || !r.get("tail_rule").empty()) return nullptr;
  if (r.rule == "either_order") return std::make_unique<Staged>(c, Ways{r.stages, with_product(r).stages}, bind);
  if (r.get("bounds") == "tosa_inexact") return std::make_unique<Inexact>(c, Ways{r.stages}, bind);
  if (!r.get("bounds").empty()) return nullptr;
  return std::make_unique<Staged>(c, Ways{r.stages}, bind);
}

std::unique_ptr<Contender> contender(const ContenderCase& c, const RivalCell& rival, StageBinder& bind) {
  for (const auto make : {staged_contender, paired_contender, float_contender})
    if (auto made = make(c, rival, bind)) return made;
  return nullptr;
}

}  // namespace lastbit
