// twin.hpp: the slow rational twin: every expected value of a suite, computed a second time in another way.
//
// Nothing here is a float: every stage is a rational number and a sentence about how it is rounded ("the nearest multiple of
// 2^(e - 23), ties to even" is a float32 step). Sums are plain loops over int64. What the profile computes with machine arithmetic
// must come out the same, or the suite is not written.
#pragma once
#include "golden/workshop.hpp"

namespace lastbit {

struct TwinResult {
  std::int64_t elements = 0;      // computed a second time: equal
  std::int64_t bounded = 0;       // judged against the real value: equal where bits only move, else within the operator's roundings
};
/// Throws InternalError where an expected value and its twin differ. `computed` is what the profile gave for port "y" (or the
/// first output).
TwinResult check_twin(const Layer&, const Operator&, const Cell&, const Result&);

/// acc -> stored integer by the stages, in rationals. Nothing where a step leaves the reals (infinities, NaN) or takes a
/// transcendental function.
std::optional<std::int64_t> requantize_rationally(const std::vector<std::string>& stages, const RequantizeContext&, std::int64_t acc, std::int64_t channel);

}  // namespace lastbit
