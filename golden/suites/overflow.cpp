// overflow: the accumulator's extremes: the largest and smallest sums that weights and inputs can make, and, where a 32-bit
// register adds an integer bias, sums that just reach 2^31, stay one below it, and wrap.
#include <limits>

#include "golden/place.hpp"
#include "lib/error.hpp"
#include "verifier/evaluate.hpp"

namespace lastbit::suites {
namespace {

Draft of_sums(const Workshop& w, Layer layer, Random& random) {
  Draft d;
  Solver solver(w, layer);
  const std::int64_t samples = solver.geometry().batch, of_sample = solver.elements_of_sample(), positions = solver.geometry().positions(), channels = of_sample / positions;
  for (std::int64_t n = 0; n < samples; ++n)
    for (std::int64_t k = 0; k < channels; ++k) {
      const std::int64_t channel = (n / 2 + k) % channels, element = n * of_sample + channel * positions + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(positions)));
      if (!solver.taken(element)) solver.extreme(element, n % 2 == 0);
    }
  Layer extremes = solver.layer();
  extremes.name = w.like ? w.op->name : "extremes";
  d.cases.push_back(std::move(extremes));
  const Cell& cell = cell_of(w, layer);
  const bool integer_bias = layer.find("bias") && layer.in("bias").dtype == DType::int32 && !cell.stages.empty() && cell.stages[0] == "bias bias";
  if (!integer_bias || w.like) {
    const auto bounds = accumulator_bounds(layer, *w.op, cell);
    d.notes.push_back(std::string("no sum wraps: ") + (w.like ? "the layer's own weights and bias are kept" : cell.get("accumulator", "int32") != "int32" ? "the accumulator has 64 bits" : "the bias is not added in the 32-bit register") +
                      (bounds ? "; over all inputs sums lie in " + std::to_string(bounds->min) + " to " + std::to_string(bounds->max) : ""));
    return d;
  }
  Layer wraps = layer;
  wraps.name = "wraps";
  Tensor& bias = wraps.inputs.at("bias");
  std::vector<std::int32_t> b;
  for (std::int64_t i = 0; i < bias.size(); ++i) b.push_back(i % 2 ? std::numeric_limits<std::int32_t>::min() + 5000 : std::numeric_limits<std::int32_t>::max() - 5000);
  set_integers(bias, b);
  refresh(w, wraps);
  std::vector<WantedSum> targets;
  for (const std::int64_t by : {1, 0, 2, -1, 9000, -5000, 123})
    for (std::int64_t c = 0; c < channels; ++c) targets.push_back({c, c % 2 ? -5000 - by : 5000 + by});
  std::int64_t placed = 0;
  d.cases.push_back(place(w, std::move(wraps), targets, random, placed));
  if (placed > 0) d.promises = {"wrapped"};
  return d;
}

Draft make(const Workshop& w) {
  Random random = w.random("overflow");
  const CaseVariant variant{.name = "extremes", .dyadic = false, .extreme = true};
  Layer layer = blank_layer(w, variant, w.samples(16), random);
  const auto staged = Staged::of(w, layer);
  if (staged && layer.op != "requantize") return of_sums(w, std::move(layer), random);
  Draft d;
  if (staged) {  // accumulators to the ends of int32, where a left shift or a product may wrap
    Tensor& x = layer.inputs.at("x");
    std::vector<std::int32_t> q;
    const auto& range = info(x.dtype);
    for (std::int64_t i = 0; i < x.size(); ++i) {
      const std::int64_t step = std::int64_t{1} << random.below(static_cast<std::uint64_t>(range.bits) - 1);
      q.push_back(static_cast<std::int32_t>(i % 2 ? range.min + (i < 2 ? 0 : step - 1) : range.max - (i < 2 ? 0 : step - 1)));
    }
    set_integers(x, q);
    d.cases.push_back(std::move(layer));
    return d;
  }
  const bool moved = cell_of(w, layer).rule == "copy" || cell_of(w, layer).rule == "max";
  if (moved) throw Error("--suite overflow", "found " + w.op->name + ", which moves or chooses elements and adds nothing up, expected another suite (random, boundary)");
  fill_corners(layer, random);
  d.cases.push_back(std::move(layer));
  d.notes.push_back("this operator has no accumulator of its own: its inputs are at the ends of their ranges");
  return d;
}

}  // namespace

Suite overflow() { return {"overflow", "largest and smallest accumulators; sums that wrap where the register can", make}; }

}  // namespace lastbit::suites
