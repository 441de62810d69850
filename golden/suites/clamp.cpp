// clamp: the ends of the output's range, and of a fused activation's: the last result that is not clamped, the first that is, and
// what lies far beyond.
#include "golden/matrix.hpp"
#include "golden/place.hpp"
#include "lib/error.hpp"

namespace lastbit::suites {
namespace {

Draft make(const Workshop& w) {
  Draft d;
  bool any = false;
  const bool fused = !w.like && !w.attributes.count("activation") && std::any_of(w.op->attributes.begin(), w.op->attributes.end(), [](const AttributeSpec& a) { return a.name == "activation"; });
  for (const char* activation : {"", "relu", "relu6"}) {
    if (*activation && !fused) break;
    const std::string name = !*activation ? (fused ? "none" : w.op->name) : activation;
    Random random = w.random(name);
    const CaseVariant variant{.name = name, .dyadic = true, .bias = true, .activation = activation, .narrower = 1};
    try {
      Layer layer = blank_layer(w, variant, w.samples(24), random);
      if (!*activation && is_float(layer.out(main_output(layer)).dtype)) throw Error("--suite clamp", "found " + w.op->name + ", whose output is a float here and is not clamped, expected another suite (random, boundary)");
      // ATen's elementwise kernels fuse relu alone.
      if (std::string(activation) == "relu6" && w.profile->name.rfind("pytorch", 0) == 0 && !Staged::of(w, layer)) continue;
      std::int64_t liked = 0;
      if (const auto staged = Staged::of(w, layer)) {
        const auto targets = around_clamps(w, layer, *staged);
        // Channels in turn.
        std::vector<WantedSum> mixed;
        for (std::size_t k = 0; mixed.size() < targets.size(); ++k)
          for (std::int64_t c = 0; c < staged->channels(); ++c) {
            std::size_t seen = 0;
            for (const auto& t : targets)
              if (t.channel == c && seen++ == k) mixed.push_back(t);
          }
        layer = place(w, std::move(layer), mixed, random, liked);
      } else {
        layer = pick(w, variant, w.samples(24), [](const PoolElement& c) {
          // The last that is not clamped, the first that is, their neighbours; then what lies further, inside and beyond.
          if (c.near != c.near) return c.clamped ? 1.0 : c.at_end ? 0.75 : 0.0;
          return c.beyond < -6 ? 0.0 : c.beyond < -1.5 ? 1.0 : c.beyond < 1.5 ? 2.0 : c.beyond < 16 ? 0.5 : 0.25;
        }, random, liked);
      }
      Layer tried = layer;
      compute(w, tried);
      any = any || liked > 0;
      d.cases.push_back(std::move(layer));
    } catch (const Error&) {
      if (!*activation) throw;
      d.notes.push_back("the activation " + name + " is left out: " + w.profile->name + " has no such layer");
    }
  }
  if (!any) throw Error("--suite clamp", "found " + w.op->name + " with no result at or beyond an end of its range over all candidates, expected another suite (random, boundary)");
  return d;
}

}  // namespace

Suite clamp() { return {"clamp", "last not clamped, first clamped, far beyond; with relu and relu6", make}; }

}  // namespace lastbit::suites
