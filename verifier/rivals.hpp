// rivals.hpp: the cells that other profiles and variants hold for a layer, found once for all layers of the same facts.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "lib/layer/operator.hpp"

namespace lastbit {

/// A cell of some profile or variant, with the labels of all that hold the very same.
struct RivalCell {
  std::string label, isa;                  // isa: the variant's, empty: the dump's
  const Profile* profile;
  Cell cell;
  std::vector<std::string> alike;
};

/// As rivals() (evaluate.hpp), without a layer bound to each.
std::shared_ptr<const std::vector<RivalCell>> rival_cells(const Layer&, const Operator&);

/// Whether two cells compute alike, whatever they are named after and asked for: one rule, the same stages and parameters.
inline bool same_rule(const Cell& a, const Cell& b) { return a.rule == b.rule && a.stages == b.stages && a.with == b.with; }

/// The layer as the rival's instruction set would have it.
Layer as_rival(const Layer&, const Operator&, const RivalCell&);

}  // namespace lastbit
