// exact_blocks.hpp: the exact form of an accumulating layer, a run of sums at a time.
#pragma once
#include <array>
#include <optional>
#include <vector>

#include "lib/kernels/nearness.hpp"
#include "lib/layer/operator.hpp"
#include "reports/report.hpp"

namespace lastbit {

/// The real number of a sum in LSB of the output, the zero point in it: acc * multiplier + offset, per channel or one for all.
struct RealLines {
  bool known = false;                       // false: an activation that is no clamp, or an output with several scales
  std::vector<double> multiplier, offset;
  std::vector<float> multiplier32, offset32;
  double low = 0, high = 255;               // the stored range, a fused activation included
  double bound = 0;                         // error of the float64 value wherever a clamp does not decide
  float bound32 = 0;                        // and of the float32 one
  std::int64_t largest_inside = 0;          // |acc| of a sum whose real number lies inside the range
  double multiplier_of(std::int64_t c) const { return multiplier[multiplier.size() == 1 ? 0 : static_cast<std::size_t>(c)]; }
  double offset_of(std::int64_t c) const { return offset[offset.size() == 1 ? 0 : static_cast<std::size_t>(c)]; }
};
RealLines real_lines(const Layer&, const RequantizeContext&);

/// Positions in a request's runs whose real number lies within its doubt of a rounding boundary; returns how many. `channel`: of the first
/// element.
std::int64_t near_boundary(const RealLines&, const NearRequest&, std::int64_t channel, std::uint16_t* near);

/// What totals say, but for the elements near a boundary, which are decided one by one. `inside`: the sum of the real numbers of the elements
/// inside the range.
ExactSummary summary_of(const NearTotals&, double low, double high, double inside);

/// Adds up an ExactSummary. add() takes what is certain and finds what is near; decide() is called for each of those.
class ExactBlocks {
 public:
  ExactBlocks(const Layer&, const RequantizeContext&, const RealLines&, std::int64_t channels);
  /// Runs whose first element is of `channel`; what a request holds of real numbers is filled in here.
  std::int64_t add(NearRequest, std::int64_t channel, std::uint16_t* near);
  void decide(std::int64_t acc, std::int64_t stored, std::int64_t channel);
  ExactSummary summary() const;
  /// The real number, exactly, in real units.
  Exact real(std::int64_t acc, std::int64_t channel) const;

 private:
  /// -1, 0, 1: the real number lies below floor + 1/2, there, above.
  int side_of(std::int64_t acc, std::int64_t channel, double floor);

  /// What the real number of a channel's sums is made of.
  struct Factors {
    std::array<double, 3> product, bias;
    double scale, zero_point;
  };

  const RequantizeContext& context_;
  const RealLines& real_;
  std::vector<std::optional<Factors>> factors_;  // of the channels that were asked about
  /// Adds a channel's constants in the forms that the kernels take.
  void enter(double multiplier, double offset);

  std::vector<double> multiplier_, offset_; // of every channel
  std::vector<float> multiplier32_, multiplier_rest_, offset32_, offset_rest_;
  std::vector<std::int32_t> least_, most_;  // sums whose real number lies inside the range
  bool split_ = true;                       // float32 parts hold (SplitLine)
  bool bias_by_product_ = false;            // an integer bias without a scale of its own: si * sw
  NearTotals totals_;
  std::vector<Inside> inside_;              // of every channel
  std::int64_t ties_ = 0, wrong_ = 0;
};

}  // namespace lastbit
