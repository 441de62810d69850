// nearest_blocks.cpp: see nearest_blocks.hpp.
#include "verifier/nearest_blocks.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "lib/kernels/nearest_values.hpp"

namespace lastbit {
namespace {

/// The place of the first stage with one of these verbs.
std::size_t place_of(const std::vector<std::string>& stages, std::initializer_list<const char*> verbs) {
  const auto at = std::find_if(stages.begin(), stages.end(), [&](const std::string& s) { return std::find(verbs.begin(), verbs.end(), s.substr(0, s.find(' '))) != verbs.end(); });
  return static_cast<std::size_t>(at - stages.begin());
}

}  // namespace

std::optional<NearestBlocks> NearestBlocks::of(const ContenderCase& c, const Requantizer& own) {
  const std::vector<std::string>& stages = c.cell.stages;
  // A fixed-point multiplication that rounds twice has ties of its first rounding, anywhere.
  if (place_of(stages, {"fixed"}) < stages.size()) return std::nullopt;
  NearestBlocks b(c, own);
  b.doubt_ = doubt_of(own, c);
  if (std::isinf(b.doubt_) || c.real.low != static_cast<double>(c.plan.context.min) || c.real.high != static_cast<double>(c.plan.context.max)) return std::nullopt;
  b.doubt_ = b.doubt_ * 1.01 + c.real.bound;
  b.clamped_first_ = place_of(stages, {"clamp", "range"}) < place_of(stages, {"round", "fixed"});
  b.low_is_silent_ = c.plan.context.activation == "relu" && place_of(stages, {"activation"}) < stages.size();
  b.single_ = place_of(stages, {"float"}) < stages.size();
  for (std::int64_t o = 0; o < static_cast<std::int64_t>(c.plan.context.channels.size()); ++o) b.bias_.push_back(own.with_bias(0, o));
  return b;
}

void NearestBlocks::run(const SumBlock& b, std::byte* stored, EpilogueResult& total) const {
  if (b.runs == 0 || b.length == 0) return;
  if (total.elements == 0) total.acc_min = std::numeric_limits<std::int32_t>::max(), total.acc_max = std::numeric_limits<std::int32_t>::min();
  std::array<std::uint16_t, near_most> near;
  std::array<std::byte, near_most + slack> expected;
  const bool across = plan_->order.channels_last, one = real_->multiplier.size() == 1, one_bias = bias_.size() == 1;
  for (std::int64_t r = 0; r < b.runs; ++r)
    for (std::int64_t i = 0; i < b.length; i += near_most) {
      const std::int64_t n = std::min(near_most, b.length - i), first = b.first + r * b.step + i, channel = plan_->channel_of(first);
      const std::int32_t* acc = b.acc + r * b.acc_step + i;
      const auto at = one ? 0 : static_cast<std::size_t>(channel);
      const NearestValues request{acc, n, {real_->multiplier.data() + at, real_->offset.data() + at, across && !one ? 1 : 0}, real_->low, real_->high, clamped_first_, low_is_silent_, doubt_};
      const std::int64_t found = nearest_values(request, expected.data(), near.data(), total.clamped);
      for (std::int64_t k = 0; k < n; ++k) {
        // An integer bias is known not to leave int32.
        const std::int64_t sum = acc[k] + bias_[one_bias ? 0 : static_cast<std::size_t>(across ? channel + k : channel)];
        const auto v = static_cast<std::int32_t>(sum);
        total.acc_min = std::min(total.acc_min, v);
        total.acc_max = std::max(total.acc_max, v);
        if (single_) total.inexact_float += static_cast<std::int64_t>(static_cast<float>(v)) != sum;
      }
      for (std::int64_t k = 0; k < found; ++k) {
        const std::int64_t e = near[static_cast<std::size_t>(k)];
        Events events = 0;
        expected[static_cast<std::size_t>(e)] = static_cast<std::byte>((*own_)(acc[e], plan_->channel_of(first + e), events) & 0xFF);
        total.tie += (events & event::tie) != 0;
        total.clamped += (events & event::clamped) != 0;
        total.saturated += (events & event::saturated) != 0;
        total.wrapped += (events & event::wrapped) != 0;
      }
      const auto length = static_cast<std::size_t>(n);
      if (std::memcmp(expected.data(), plan_->observed + first, length) != 0)
        for (std::int64_t k = 0; k < n; ++k)
          if (expected[static_cast<std::size_t>(k)] != plan_->observed[first + k]) total.differ.push_back(first + k);
      if (stored) std::memcpy(stored + r * b.acc_step + i, expected.data(), length);
    }
  total.elements += b.runs * b.length;
}

}  // namespace lastbit
