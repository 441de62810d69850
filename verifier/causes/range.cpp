// range: a reduced range (qmin, qmax) was not kept.
#include "verifier/cause.hpp"

namespace lastbit::causes {
namespace {

std::vector<Suspect> suspects(const Case& c) {
  if (c.layer.attributes.has("reduce_range") && c.layer.attributes.boolean("reduce_range")) {
    Layer whole = c.layer;
    whole.attributes.values["reduce_range"] = false;
    return {rerun_suspect(c, "range:unreduced", "The input was quantized over the whole range, not the reduced one.", whole)};
  }
  if (is_float(c.observed.dtype)) return {};
  const auto& full = info(c.observed.dtype);
  if (c.observed.q.qmin == full.min && c.observed.q.qmax == full.max) return {};
  Layer other = c.layer;
  other.outputs.at(c.port).q.qmin = full.min;
  other.outputs.at(c.port).q.qmax = full.max;
  return {rerun_suspect(c, "range:unreduced", "Results were clamped to the whole range of " + std::string(full.name) + ", not to " + std::to_string(c.observed.q.qmin) + " to " + std::to_string(c.observed.q.qmax) + ".", other)};
}

}  // namespace

Cause range() { return {"range", "a reduced range not kept", {"range:unreduced"}, suspects}; }

}  // namespace lastbit::causes
