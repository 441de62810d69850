// stored.hpp: a layer bound with its tensors where they lie.
#pragma once
#include <map>
#include <string>

#include "lib/dump/dump.hpp"

namespace lastbit {

/// What would be read through a layout stays as it is: such a tensor has its shape, qparams and stored_axes in the operator's order of
/// axes, but no `data`; its bytes, in the stored order, stand here by port.
struct StoredLayer {
  Layer layer;
  std::map<std::string, const std::byte*> inputs, outputs;
};

/// Dump::bind, and nothing moved.
StoredLayer bind_as_stored(const Dump&, const LayerEntry&, const std::string& isa = "");

/// Whether a tensor's axes as stored are the operator's with the channels moved behind the others (or all in the operator's order).
bool channels_last(const Tensor&);

/// Gives every tensor its own order.
void bring_into_order(StoredLayer&);
/// The same for one tensor: a copy of `stored`.
Tensor in_order(const Tensor&, const std::byte* stored);

}  // namespace lastbit
