// solve.hpp: inputs under which an accumulator takes a wanted value, and the values worth wanting.
#pragma once
#include "golden/workshop.hpp"
#include "lib/rules/accumulation.hpp"
#include "lib/rules/pairs.hpp"

namespace lastbit {

/// A layer that accumulates and requantizes by stages, or whose cell's rule is "stages" on one input (requantize): from an
/// accumulator, the sum before any bias, to a stored value.
class Staged {
 public:
  /// Null when the layer's arithmetic is not described by stages over one accumulator.
  static std::shared_ptr<const Staged> of(const Workshop&, const Layer&);

  std::int64_t channels() const;
  std::int64_t output(std::int64_t acc, std::int64_t channel, Events&) const;
  /// (acc * si * sw + bias) / so + zo, exactly; and whether it lies halfway between two integers.
  Exact stored(std::int64_t acc, std::int64_t channel) const;
  bool tie(std::int64_t acc, std::int64_t channel) const;
  /// Distance of that value to the nearest half, in LSB.
  double distance(std::int64_t acc, std::int64_t channel) const;
  /// What requantization starts from: an integer bias added.
  std::int64_t with_bias(std::int64_t acc, std::int64_t channel) const { return requantize_->with_bias(acc, channel); }
  const Requantizer& requantizer() const { return *requantize_; }

  /// The least accumulator in [lo, hi] whose output is above q; hi + 1 when there is none. Outputs rise with the accumulator.
  std::int64_t first_above(std::int64_t q, std::int64_t channel, std::int64_t lo, std::int64_t hi) const;
  std::int64_t min() const { return requantize_->context().min; }
  std::int64_t max() const { return requantize_->context().max; }
  const Names& names(std::int64_t channel) const;
  bool float_bias() const { return float_bias_; }

 private:
  std::shared_ptr<const Requantizer> requantize_;
  std::int64_t channels_ = 1;
  bool float_bias_ = false;
};

/// Values of one channel's accumulator around the rounding boundaries of its output.
struct Boundary {
  std::int64_t acc;       // one that lies on the boundary when `exact`, else the last below it
  std::int64_t code;      // the lower of the two stored values
  bool exact;             // a tie
  double distance;        // to the boundary, in LSB
};
/// Every boundary between two stored values that an accumulator in [lo, hi] comes near, lowest first.
std::vector<Boundary> boundaries(const Staged&, std::int64_t channel, std::int64_t lo, std::int64_t hi);

/// Changes the inputs of a layer that accumulates until chosen elements have chosen sums.
class Solver {
 public:
  Solver(const Workshop&, const Layer&);

  std::int64_t elements() const { return elements_; }
  std::int64_t elements_of_sample() const { return elements_ / geometry_.batch; }
  std::int64_t channel_of(std::int64_t element) const { return element / geometry_.positions() % (geometry_.groups * geometry_.out_channels); }
  const Geometry& geometry() const { return geometry_; }
  const AccumulationInput& input() const { return in_; }
  /// What sum (x - zx)(w - zw) of an element can reach over inputs that no solved element has taken.
  std::pair<std::int64_t, std::int64_t> reach(std::int64_t element) const;
  /// Makes the sum `target` and keeps the inputs it used; false, and nothing changed, when it found no way. The sum is the one that
  /// the profile's register holds, pairs saturated where it saturates them; `exactly`: the true one.
  bool solve(std::int64_t element, std::int64_t target, Random&, bool exactly = false);
  /// What saturation of pairs takes from the element's sum, as its inputs are.
  std::int64_t lost_in_pairs(std::int64_t element) const;
  /// As large (or small) as the element's sum can be.
  void extreme(std::int64_t element, bool largest);
  /// Inputs under the element whose neighbours saturate when their products share a 16-bit register get the extreme value; the
  /// others are solved so that the true sum is `target`. `offset`: what the runtime adds to the codes first. `neighbours`: pairs are (0, 1), (2, 3), ... in the order
  /// of the terms; else which terms meet is not known, and several of one sign are made extreme. False when no pair can saturate or the rest cannot make up for it.
  bool saturate_pairs(std::int64_t element, std::int64_t target, std::int64_t offset, bool neighbours, Random&);
  bool taken(std::int64_t element) const;
  /// The layer with the inputs as they are now.
  Layer layer() const;

 private:
  struct Term {
    std::size_t x;
    std::int64_t w;
    std::int64_t order;    // taps ascending, channel fastest
  };
  std::vector<Term> terms(std::int64_t element, std::int64_t* fixed) const;
  bool finish(std::vector<Term>& free, std::int64_t target, Random&);
  bool bring(std::int64_t element, std::vector<Term>& free, std::int64_t target, Random&, bool exactly);

  Layer layer_;
  Geometry geometry_;
  AccumulationInput in_;
  std::vector<char> taken_;
  std::vector<Segment> pairs_;           // products that share a 16-bit register; none: sums are exact
  std::int64_t pair_offset_ = 0, pair_outside_ = 0, pair_limit_ = 0, pair_factor_ = 1;  // limit: no code up to it saturates a pair
  std::int64_t elements_ = 0, lo_ = 0, hi_ = 0;
};

}  // namespace lastbit
