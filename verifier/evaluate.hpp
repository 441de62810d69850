// evaluate.hpp: one layer bound, judged by a profile and compared. What verify, explain, identify, diff, extract and audit share.
#pragma once
#include <optional>

#include "lib/dump/dump.hpp"
#include "lib/layer/operator.hpp"
#include "lib/rules/accumulation.hpp"
#include "verifier/compare.hpp"

namespace lastbit {

/// The profile a layer is judged by, and the instruction set in force.
struct ChosenProfile {
  const Profile* profile = nullptr;
  std::string isa;                        // replaces producer.isa when not empty
  std::string label;                      // NAME, or NAME@isa when the isa is not the profile's first
};
/// NAME, NAME@isa or FILE.json. Throws Error.
ChosenProfile named_profile(const std::string& option);
/// --profile beats the layer's, which beats the dump's, which beats the producer's engine. Null profile: nothing says which.
ChosenProfile choose_profile(const Dump&, const LayerEntry&, const std::string& option);

/// NAME, or NAME@isa when the isa is not the profile's first (or not known).
std::string profile_label(const Profile&, const std::string& isa);

/// Why a layer cannot be checked; empty when it can.
std::string obstacle(const LayerEntry&, const ChosenProfile&, const Operator*);

/// The layer's tensors, checked by its operator. `as`: another producer (its version, build and isa decide the arithmetic).
Layer bind_layer(const Dump&, const LayerEntry&, const std::string& isa, const Producer* as = nullptr);

/// The same layer as another producer's: facts anew.
void set_producer(Layer&, const Operator*, Producer);

struct Evaluated {
  Layer layer;
  Result result;
  std::map<std::string, Comparison> compared;  // by port
  std::vector<std::string> not_compared;       // dumped outputs that this arithmetic does not compute
  std::int64_t mismatches() const;
};
/// Runs the operator by the cell and compares every output that was dumped.
Evaluated evaluate(Layer, const Operator&, const Cell&);

/// Worst case of the accumulator over all inputs and channels; none for a layer that does not accumulate.
struct AccumulatorBounds {
  std::int64_t min, max;
};
std::optional<AccumulatorBounds> accumulator_bounds(const Layer&, const Operator&, const Cell&);

/// Geometry of a layer that accumulates in one window (linear, conv*, conv_transpose* and their kin); none otherwise.
std::optional<Geometry> accumulation_geometry(const Layer&);

/// Multiplications and additions of the layer's accumulators; 0 for a layer that does not accumulate.
double operations(const Layer&);

/// The layer of that name; throws Error listing near names.
const LayerEntry& find_layer(const Dump&, const std::string& name);

/// Every profile and variant whose arithmetic for this layer is not the same cell as one before: `own` first when it is not null.
struct Rival {
  std::string label;
  const Profile* profile;
  Cell cell;
  Layer layer;                             // bound with the variant's instruction set
  std::vector<std::string> alike;          // labels of profiles and variants with the very same cell
};
std::vector<Rival> rivals(const Layer&, const Operator&);

/// Matches * and ? only.
bool glob_matches(const std::string& glob, const std::string& text);

}  // namespace lastbit
