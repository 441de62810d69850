// ties: accumulators exactly on a rounding boundary, one below and one above it: negative and positive, with an odd and with an
// even output zero point. Scales are powers of two unless --like says others, so that ties exist; inputs are then solved for.
#include <cmath>
#include <limits>

#include "golden/place.hpp"
#include "lib/error.hpp"
#include "verifier/compare.hpp"

namespace lastbit::suites {
namespace {

Draft make(const Workshop& w) {
  Draft d;
  bool found = false, integers = false;
  double nearest = std::numeric_limits<double>::infinity();
  for (const bool odd : {true, false}) {
    if (w.like && !odd) break;  // its zero points are fixed
    const std::string name = w.like ? w.op->name : odd ? "odd" : "even";
    Random random = w.random(name);
    const CaseVariant variant{.name = name, .dyadic = true, .odd = odd, .bias = true};
    Layer layer = blank_layer(w, variant, w.samples(32), random);
    if (const auto staged = Staged::of(w, layer)) {
      integers = true;
      double near = std::numeric_limits<double>::infinity();
      const auto targets = around_boundaries(w, layer, *staged, true, random, 4096, &near);
      nearest = std::min(nearest, near);
      found = found || near == 0;
      std::int64_t placed = 0;
      layer = place(w, std::move(layer), targets, random, placed);
      if (placed == 0 && !targets.empty()) d.notes.push_back("no accumulator of the case \"" + name + "\" could be solved for");
    } else {
      std::int64_t liked = 0;
      layer = pick(w, variant, w.samples(32), [](const PoolElement& c) { return c.half ? 2.0 : 0.0; }, random, liked);
      integers = integers || (layer.has_out("y") && !is_float(layer.out("y").dtype));
      if (liked) found = true, nearest = 0;
      else {
        Random again = w.random(name + "/near");
        layer = pick(w, variant, w.samples(32), [&](const PoolElement& c) {
          const double off = std::abs(c.near - std::floor(c.near) - 0.5);
          if (off == off) nearest = std::min(nearest, off);
          return off < 0.02 ? 1.0 : 0.0;
        }, again, liked);
      }
    }
    d.cases.push_back(std::move(layer));
  }
  if (!integers) throw Error("--suite ties", "found " + w.op->name + ", whose output is a float here: it has no rounding boundary between integers, expected another suite (random, boundary)");
  if (found) d.promises = {"exact tie"};
  else if (nearest == std::numeric_limits<double>::infinity()) throw Error("--suite ties", "found " + w.op->name + ", which rounds no real value here (elements are moved or chosen): it has no tie, expected another suite (random, boundary, exhaustive)");
  else d.notes.push_back("no tie exists: " + std::string(w.like ? "with these fixed scales no accumulator that can be reached" : "no input that was tried") + " lies on a rounding boundary; the nearest lies " + shortest(static_cast<float>(nearest)) + " LSB off, and is in the suite");
  return d;
}

}  // namespace

Suite ties() { return {"ties", "on, one below and one above rounding boundaries: both signs, odd and even zero points", make}; }

}  // namespace lastbit::suites
