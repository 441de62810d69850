// streamed.hpp: an accumulating layer judged block by block, while its sums are hot.
//
// Tensors stay as the dump stores them, mapped and not widened; nothing of the size of a layer is allocated. A layer whose every
// element agrees is thereby done: what its report says has been added up on the way. Only one that differs is computed as a whole
// (evaluate.hpp), for its expected values, worst elements and causes.
#pragma once
#include <optional>
#include <span>

#include "lib/dump/stored.hpp"
#include "reports/report.hpp"
#include "verifier/evaluate.hpp"
#include "verifier/rivals.hpp"

namespace lastbit {

struct Streamed {
  std::string kernel;
  double pack_ms = 0;
  std::int64_t elements = 0, mismatches = 0;
  EventCounts events;
  std::int64_t acc_min = 0, acc_max = 0;
  ExactSummary exact;                         // when asked for
  std::optional<FloatSummary> float_form;     // when asked for, where it can be told from the sums; of a layer that agrees
  std::optional<AccumulatorBounds> bounds;    // accumulator_bounds(), where the stored weights tell it
  std::vector<bool> alike;                    // by rival: whether it, too, gives the observed value everywhere; of a layer that agrees
};

struct StreamOptions {
  bool exact = false, float_form = false;
  std::span<const RivalCell> rivals;          // judged on the same sums; those that need more than the sums come back open
  std::vector<bool>* open = nullptr;          // by rival: not decided here
  bool events = true;                         // count them where that takes time
  bool bounds = true;                         // what the sums could reach; not of a product of activations, which has no weights
};

/// None when the layer or its cell is not of the kind: linear or a convolution, 8-bit operands, an int32 accumulator whose sum nothing but
/// the final one decides (pairs in 16 bits that do not saturate anywhere decide nothing), stages that the vector epilogue has or that are known to round the real number, a stored output of at most 8 bits and no other.
std::optional<Streamed> stream_layer(const StoredLayer&, const Operator&, const Cell&, const StreamOptions&);

}  // namespace lastbit
