// proof.hpp: why rules that no element of a suite separates cannot be separated, or that this is not known.
//
// A rule of a layer that accumulates is two functions: inputs -> sum, and sum -> output. Over all inputs that the types allow, the
// sums of a channel lie in a range that its weights and zero points fix. Where two rules form the same sums, they are the same rule
// exactly when they turn every sum of that range into the same output; both rise with the sum, so it is enough to compare them on
// both sides of every step of one (monotone.hpp proves that they rise). Rules that form other sums are the same as the exact sum
// where nothing that can be reached leaves their register: an accumulator's, or the 16 bits that a pair of products has.
//
// Elementwise layers of 8-bit codes are run on every combination of codes.
#pragma once
#include "golden/matrix.hpp"

namespace lastbit {

/// Where two rules that the suite does not separate part: the inputs are still to be made.
struct Parting {
  std::size_t of_case = 0;
  std::int64_t channel = 0, acc = 0;             // of a layer that accumulates
  std::map<std::string, std::int64_t> codes;     // of an elementwise one, by port
};

/// Fills `why` of every kind that has more than one rule. `tried`: outputs on which its rules were seen to agree. Returns where
/// rules of one kind part within the worst case, as far as that is found: a few for each two rules, and `most` in all.
std::vector<Parting> prove(const Workshop&, const AllRules&, const std::vector<Layer>& cases, std::int64_t tried, Discrimination&, std::size_t most = 512);

/// Every combination of the codes that an elementwise layer of 8-bit codes can have, two inputs down and across; none for others.
std::optional<Layer> whole_domain(const Layer&);

}  // namespace lastbit
