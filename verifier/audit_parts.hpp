// audit_parts.hpp: the questions that an audit asks of one layer, one function each. See audit.hpp for what they fill in.
#pragma once
#include "verifier/audit.hpp"
#include "verifier/evaluate.hpp"
#include "verifier/sums.hpp"

namespace lastbit {

/// Rounded so that the last bits of a C library's logarithm do not show.
double rounded4(double);

/// A layer bound and judged, and what an audit needs to ask more of it.
struct Audited {
  const Dump& dump;
  const Operator& op;
  const Profile& profile;
  const Cell& cell;
  Evaluated own;
  std::string isa;                     // of the profile's choice, may be empty
};

/// The same layer where the CPU has no VNNI: the profile's cell on `isa`, or AVX2. A dump of a CPU without it is its own variant.
struct Variant {
  std::string label;
  Layer layer;
  const Cell* cell = nullptr;          // null: the profile does not hold the operator there
};
Variant without_vnni(const Profile&, const Operator&, const Layer&, const std::string& isa);

/// The output that costs are counted in: "y", else "accumulator".
std::string counted_output(const Result&, const Layer&);

/// Accumulators and outputs as they were.
void observe(const Audited&, const LayerSums*, LayerAudit&);
/// Over all inputs.
void prove(const Audited&, const LayerSums&, const std::vector<int>& widths, LayerAudit&);
/// int16 pairs: over all inputs, and those that saturate from the dumped one.
void audit_pairs(const Audited&, const LayerSums&, const Variant&, LayerAudit&);
/// The layer's outputs by another cell against its own.
Cost isolated_cost(const Audited&, const Layer&, const Cell&, const std::string& model);
/// A dump in which one element's accumulator is at the bound that is largest in size.
WitnessDump write_witness(const Audited&, const LayerSums&, const std::string& directory);

/// Costs that earlier layers hand down, to the outputs of the network.
void chain_costs(const AuditOptions&, const Dump&, const std::vector<const LayerEntry*>&, const std::vector<LayerAudit*>&, const std::vector<const LayerReport*>&, std::vector<NetworkCost>&);

}  // namespace lastbit
