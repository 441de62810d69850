// nearest_blocks.hpp: a block's sums through stages that no vector epilogue has, by what they lie near (lib/kernels/nearest_values.hpp).
#pragma once
#include <optional>
#include <vector>

#include "verifier/contender.hpp"

namespace lastbit {

class NearestBlocks {
 public:
  /// None when the stages are not known to be one rounding of the layer's real number.
  static std::optional<NearestBlocks> of(const ContenderCase&, const Requantizer& own);
  /// As run_epilogue(): compares with what was observed, counts events, writes the expected bytes to stored[r * acc_step + i].
  void run(const SumBlock&, std::byte* stored, EpilogueResult&) const;
  /// Bytes that run() may write beyond a run's.
  static constexpr std::int64_t slack = 16;

 private:
  NearestBlocks(const ContenderCase& c, const Requantizer& own) : plan_(&c.plan), real_(&c.real), own_(&own) {}

  const StoredPlan* plan_;
  const RealLines* real_;
  const Requantizer* own_;
  std::vector<std::int64_t> bias_;      // integers that the accumulator starts from, one or per channel
  bool clamped_first_ = false, low_is_silent_ = false, single_ = false;
  double doubt_ = 0;
};

}  // namespace lastbit
