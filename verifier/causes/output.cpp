// output: results beyond the stored range wrap around instead of being clamped.
#include "lib/num/int.hpp"
#include "verifier/cause.hpp"

namespace lastbit::causes {
namespace {

std::vector<Suspect> suspects(const Case& c) {
  if (is_float(c.observed.dtype) || info(c.observed.dtype).bits > 16) return {};
  const auto& type = info(c.observed.dtype);
  const auto wrapped = [type](double v) {
    const std::int64_t w = wrap(static_cast<std::int64_t>(v), type.bits);
    return static_cast<double>(type.min == 0 && w < 0 ? w + (std::int64_t{1} << type.bits) : w);
  };
  Layer open = c.layer;  // the same without a clamp, but an activation's own
  open.outputs.at(c.port).q.qmin = -(std::int64_t{1} << 60);
  open.outputs.at(c.port).q.qmax = std::int64_t{1} << 60;
  const auto wraps = [&c, wrapped, type](Layer without, const std::string& words) -> Suspect {
    return {"output:wraps", "Results beyond " + std::to_string(type.min) + " to " + std::to_string(type.max) + " wrap around instead of being clamped" + words, 10,
            [&c, open = std::move(without), wrapped](const std::vector<std::int64_t>& elements) {
              Values v;
              if (c.accumulates()) {
                Change change;
                change.stages = edited(c.cell.stages, [](const std::string& s) { return s == "saturate16" ? std::string() : s; });
                change.context = [&open](RequantizeContext& context) {
                  const Range r = activated_range(open, open.out("y"));
                  context.min = r.min, context.max = r.max;
                };
                v = c.changed(change, elements);
              } else {
                v = c.rerun(open, c.cell, elements);
              }
              for (auto& x : v) x = wrapped(x);
              return v;
            },
            !c.accumulates()};
  };
  std::vector<Suspect> all{wraps(open, ".")};
  if (c.port == "y" && c.layer.attributes.has("activation")) {
    // An activation's bound beyond the type is none: relu6 with 6/so above the largest code leaves only the lower end.
    const Range activated = activated_range(open, open.out("y"));
    Layer inner = open;
    inner.attributes.values["activation"] = std::string("none");
    if (activated.min > type.min) inner.outputs.at(c.port).q.qmin = activated.min;
    if (activated.max < type.max) inner.outputs.at(c.port).q.qmax = activated.max;
    all.push_back(wraps(inner, "; the activation holds where it lies within them."));
    inner.outputs.at(c.port).q.qmax = open.outputs.at(c.port).q.qmax;
    all.push_back(wraps(inner, "; the activation's lower end holds."));
    Layer bare = open;
    bare.attributes.values["activation"] = std::string("none");
    all.push_back(wraps(bare, ", and no activation is applied."));
  }
  return all;
}

}  // namespace

Cause output() { return {"output", "no clamp: the output wraps", {"output:wraps"}, suspects}; }

}  // namespace lastbit::causes
