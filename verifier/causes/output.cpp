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
  Layer open = c.layer;  // the same without a clamp
  open.outputs.at(c.port).q.qmin = -(std::int64_t{1} << 30);
  open.outputs.at(c.port).q.qmax = std::int64_t{1} << 30;
  return {{"output:wraps", "Results beyond " + std::to_string(type.min) + " to " + std::to_string(type.max) + " wrap around instead of being clamped.", 10,
           [&c, open, wrapped](const std::vector<std::int64_t>& elements) {
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
           !c.accumulates()}};
}

}  // namespace

Cause output() { return {"output", "no clamp: the output wraps", {"output:wraps"}, suspects}; }

}  // namespace lastbit::causes
