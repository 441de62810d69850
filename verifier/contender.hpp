// contender.hpp: a rival arithmetic judged on a layer's own sums, without running the layer again.
//
// Away from a rounding boundary two arithmetics of the same real number give the same value; so a rival is asked about the elements near
// one alone, and how near follows from a bound of what its constants and steps may err by. One that knows no bound is asked about all.
#pragma once
#include <cmath>
#include <memory>

#include "verifier/exact_blocks.hpp"
#include "verifier/rivals.hpp"
#include "verifier/stored_plan.hpp"

namespace lastbit {

/// What a contender is made from; outlives it.
struct ContenderCase {
  const Layer& layer;
  const Operator& op;
  const Cell& cell;                // the layer's own
  const StoredPlan& plan;
  const RealLines& real;
};

/// One output element: its place in the plan's order, its channel's place among the constants, its exact sum, what was observed.
struct Element {
  std::int64_t at = 0, channel = 0;
  std::int32_t acc = 0;
  std::int64_t observed = 0;
};

class Contender {
 public:
  virtual ~Contender() = default;
  /// Whether the rival may have given the observed value.
  virtual bool allows(const Element&) const = 0;
  /// Largest distance in LSB between what it rounds and the real number, over all elements that a clamp does not decide; infinite: not known.
  virtual double doubt() const = 0;
  /// What allows() leaves out: elements whose sum may be another one. Asked last.
  virtual bool allows_the_rest() const { return true; }
  /// Whether the value depends on the channel's place among all channels: it is never made of a few.
  virtual bool needs_all_channels() const { return false; }
};

/// The rival on the binder's constants: the plan's, or those of a few of its channels. None when its values cannot be told from the sums; throws
/// Error when it cannot compute the layer.
std::unique_ptr<Contender> contender(const ContenderCase&, const RivalCell&, StageBinder&);
/// Whether the rival has the layer's own sums and stages.
bool same_arithmetic(const ContenderCase&, const RivalCell&);

/// The kinds, one file each. None: not of the kind.
std::unique_ptr<Contender> staged_contender(const ContenderCase&, const RivalCell&, StageBinder&);  // other stages after the sum
std::unique_ptr<Contender> paired_contender(const ContenderCase&, const RivalCell&, StageBinder&);  // products that share 16-bit registers
std::unique_ptr<Contender> float_contender(const ContenderCase&, const RivalCell&, StageBinder&);   // a float32 sum in any order

/// What a float32 sum in any order may lie from the real number, in LSB, where no clamp decides; its interval reaches `spread` times the
/// magnitude beyond that. Infinite: not known.
struct FloatSumDoubt {
  double doubt = HUGE_VAL, spread = 0;
};
FloatSumDoubt float_sum_doubt(const RealLines&, const Geometry&);

/// Whether "fixed R/N/TAIL" is among the stages: vector lanes and what is left over.
bool has_lanes(const std::vector<std::string>& stages);
/// doubt() of stages on their constants.
double doubt_of(const Requantizer&, const ContenderCase&);

}  // namespace lastbit
