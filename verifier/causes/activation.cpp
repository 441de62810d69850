// activation: the fused activation is missing, clamps at the integer 0 instead of the zero point, or comes before the bias.
#include <algorithm>

#include "verifier/cause.hpp"

namespace lastbit::causes {
namespace {

std::vector<Suspect> suspects(const Case& c) {
  std::vector<Suspect> all;
  const auto& a = c.layer.attributes;
  if (!a.has("activation") || c.port != "y") return all;
  const bool words = std::holds_alternative<std::string>(a.values.at("activation"));
  if (words && a.text("activation") == "none") return all;
  if (is_float(c.base().out().dtype) || is_float(c.observed.dtype)) {
    if (c.accumulates() && is_float(c.base().out().dtype)) {
      all.push_back(suspect(c, "activation:missing", "The fused activation was not applied.", {.context = [](RequantizeContext& context) { context.activation = "none"; }}));
      if (c.layer.find("bias"))
        all.push_back(suspect(c, "activation:before-bias", "Negative accumulators became 0 before the bias was added.",
                              {.context = [](RequantizeContext& context) { context.activation = "none"; }, .accumulator = [](std::int64_t acc, std::int64_t) { return std::max<std::int64_t>(acc, 0); }}));
    }
    if (!c.accumulates()) {
      Layer without = c.layer;
      without.attributes.values["activation"] = std::string("none");
      all.push_back(rerun_suspect(c, "activation:missing", "The fused activation was not applied.", std::move(without)));
    }
    return all;
  }
  Layer without = c.layer;
  without.attributes.values["activation"] = std::string("none");
  const Range stored = stored_range(c.observed);
  const std::int64_t zo = c.observed.q.integer_zero_point();
  if (!c.accumulates()) {
    all.push_back(rerun_suspect(c, "activation:missing", "The fused activation was not applied.", without));
    if (zo != 0 && stored.min <= 0) {
      Layer at_zero = without;
      at_zero.outputs.at(c.port).q.qmin = 0;
      all.push_back(rerun_suspect(c, "activation:at-zero", "The activation clamps at the stored value 0 instead of the zero point " + std::to_string(zo) + ".", at_zero));
    }
    return all;
  }
  all.push_back(suspect(c, "activation:missing", "The fused activation was not applied.", {.context = [stored](RequantizeContext& context) {
                          context.min = stored.min, context.max = stored.max, context.activation = "none";
                        }}));
  if (zo != 0 && stored.min <= 0)
    all.push_back(suspect(c, "activation:at-zero", "The activation clamps at the stored value 0 instead of the zero point " + std::to_string(zo) + ".", {.context = [stored](RequantizeContext& context) {
                            context.min = std::max<std::int64_t>(stored.min, 0), context.activation = "none";
                          }}));
  if (c.layer.find("bias"))
    for (const bool bounded : {true, false})  // an upper end of the activation stays after it, or nothing does
      all.push_back(suspect(c, "activation:before-bias", "Negative accumulators became 0 before the bias was added.",
                            {.context = [stored, bounded](RequantizeContext& context) {
                               context.min = stored.min, context.activation = "none";
                               if (!bounded) context.max = stored.max;
                             },
                             .accumulator = [](std::int64_t acc, std::int64_t) { return std::max<std::int64_t>(acc, 0); }}));
  return all;
}

}  // namespace

Cause activation() { return {"activation", "the fused activation elsewhere or nowhere", {"activation:missing", "activation:at-zero", "activation:before-bias"}, suspects}; }

}  // namespace lastbit::causes
