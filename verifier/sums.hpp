// sums.hpp: the accumulations inside a layer, whatever its operator, and what they could reach over all inputs.
#pragma once
#include <optional>
#include <vector>

#include "lib/layer/operator.hpp"
#include "lib/rules/worst_case.hpp"

namespace lastbit {

/// Integers that an operand may hold, and the zero point they then have. Where a layer chooses its zero point at run time there
/// are several; a sum is linear in it, so the ends of its range are enough.
struct InputRange {
  std::int64_t zero_point = 0, min = 0, max = 0;
};

/// One accumulation. A matmul has one for each matrix product, a linear layer with scales by group one for each group.
struct Sums {
  Geometry g;
  AccumulationInput in;                // as dumped; channels count from 0
  std::int64_t first = 0;              // its first output element in the layer's output
  std::int64_t terms_from = 0;         // its first term among the layer's: where its group begins
};

struct LayerSums {
  Layer layer;                         // a static one: x as it was quantized at run time
  Cell cell;
  std::vector<Sums> parts;             // all with the same output channels
  std::vector<std::int64_t> bias;      // integer biases that the accumulators start from, per channel; empty: none
  std::vector<InputRange> x;           // the first is the dumped one where it is fixed
  std::optional<InputRange> free;      // what a matmul's b may hold where it is an input too, not a weight
  std::int64_t channels = 1, positions = 1;
  RequantizeContext context;
  std::string weight = "weight";       // the port of the second operand

  std::int64_t channel_of(std::int64_t element) const { return element / positions % channels; }
};

/// None for a layer that does not accumulate integers (by this cell).
std::optional<LayerSums> sums_of(const Layer&, const Operator&, const Cell&);
/// False: sums_of() is none, whatever the values.
bool may_have_sums(const Layer&, const Cell&);

/// A bound of one channel, and what reaches it: an output position of a part, with x in a range.
struct Extreme {
  std::int64_t value = 0;
  std::size_t part = 0, range = 0;
  std::int64_t position = 0;
};
struct SumBounds {
  Extreme min, max;
};
/// Exact minimum and maximum of every channel's accumulators, bias included, over all inputs. `b_is_input`: over all second
/// operands, too, where there is a choice.
std::vector<SumBounds> worst_case(const LayerSums&, bool b_is_input = true);

}  // namespace lastbit
