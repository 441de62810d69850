// float_blocks.hpp: the float form of an accumulating layer that agrees, from tensors as they are stored.
//
// float32 sums are made, all of them. A float64 sum lies so near the real number that only elements at a rounding boundary need one.
#pragma once
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
  void decide(std::int64_t at);
  /// With the float32 sums, made here.
  FloatSummary summary();

 private:
  const StoredPlan& plan_;
  Range range_;
  double scale_ = 1, doubt_ = 0;
  std::int64_t zero_point_ = 0;
  FloatConstants<double> double_;
  FloatConstants<float> single_;
  FloatSummary summary_;
};

}  // namespace lastbit
