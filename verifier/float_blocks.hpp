// float_blocks.hpp: the float form of an accumulating layer that agrees, from tensors as they are stored.
//
// A float sum lies so near the real number that only elements at a rounding boundary need one. How near in float32 depends on how far the
// partial sums went:
//
//   |float32 sum - real| <= u * sum over k of |S_k|  +  6 u * sum |x w|        u = 2^-24; S_k: the sum of the first k terms
//   sum over k of |S_k|  <= K * peak + between / 2 * sum |x w|                 peak: of what the kernel saw every `between` terms
//   sum |x w|            <= |x| |w|                                            Cauchy and Schwarz
//
// Between two looks a partial sum is nearer to one of them than half of what lies between. The sums that are seen are exact ones: those in
// float32 differ from them by no more than K u sum |x w|. Where a kernel tells nothing of its terms, all sums are made.
#pragma once
#include "lib/kernels/float_tile.hpp"
#include "lib/rules/float_products.hpp"
#include "reports/report.hpp"
#include "verifier/exact_blocks.hpp"
#include "verifier/stored_plan.hpp"

namespace lastbit {

class FloatBlocks {
 public:
  FloatBlocks(const Layer&, const StoredPlan&, const RealLines&);
  /// How far, in LSB, the float64 form may lie from the real number where no clamp decides: elements nearer to a boundary are to be
  /// decided, the others have the nearest value. infinite: not known.
  double doubt() const { return doubt_; }
  /// The element is one of those, or as near as the layer's own stages may err.
  void decide(std::int64_t at, std::int32_t acc);
  /// How far, in LSB, the float32 form may lie from the real number: by element of the block, peak * multiplier + offset, from its first run's
  /// first element on (steps as the block's channels go). False: not known, as in a block whose runs are of channels here and there: all sums are
  /// made at the end.
  bool margins(const SumBlock&, bool scattered, Line&, const std::int32_t*& peak);
  /// The element is one of those as near as that.
  void decide32(const SumBlock&, std::int64_t run, std::int64_t i);
  /// After a block's last decide32().
  void done(const SumBlock&);
  FloatSummary summary();

 private:
  void batch(const SumBlock&);
  void count32(std::int64_t at, float sum);
  std::vector<double> sizes() const;

  const StoredPlan& plan_;
  Range range_;
  double scale_ = 1, doubt_ = 0;
  std::int64_t zero_point_ = 0;
  FloatConstants<double> double_;
  FloatConstants<float> single_;
  const RealLines& real_;
  bool few_ = false;                       // float32 sums are made of some elements only
  double far_ = 0;                         // the largest |bias| in LSB
  std::vector<double> multiplier_, offset_;
  std::vector<double> size_;               // of every channel, where blocks tell nothing of their terms
  std::vector<FloatRow> rows_;
  std::vector<std::int64_t> at_;
  FloatSummary summary_;
};

}  // namespace lastbit
