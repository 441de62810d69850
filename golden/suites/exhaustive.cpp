// exhaustive: everything, where it is finite: 256 x 256 pairs of codes, every code, every accumulator in a window.
#include "golden/place.hpp"
#include "lib/error.hpp"

namespace lastbit::suites {
namespace {

Draft make(const Workshop& w) {
  Draft d;
  Random random = w.random("exhaustive");
  const CaseVariant variant{.name = w.op->name, .dyadic = false};
  Layer probe = blank_layer(w, variant, w.like ? 2 : 1, random);
  const auto refuse = [&](const std::string& why) { return Error("--suite exhaustive", "found " + w.op->name + ", " + why); };
  std::vector<std::string> ports;
  std::int64_t codes = 1;
  for (const auto& [port, t] : probe.inputs) {
    if (port != "x" && port != "a" && port != "b") continue;
    if (is_float(t.dtype)) throw refuse("whose inputs are floats, expected an operator over codes, or another suite (boundary, ties)");
    ports.push_back(port);
    if (port != "x" || info(t.dtype).bits <= 16) codes *= t.q.qmax - t.q.qmin + 1;
  }
  if (!elementwise(probe)) throw refuse("whose outputs depend on many inputs: all of them are too many; `--op requantize` exhausts accumulators, `--suite discriminate` picks the inputs that decide");
  if (w.op->name == "requantize" && info(probe.in("x").dtype).bits > 16) {
    // A window of accumulators around 0; --count says how many.
    const std::int64_t n = w.samples(4096);
    CaseVariant window = variant;
    window.narrower = 4;  // so that it crosses many steps of the output
    Layer layer = blank_layer(w, window, n, random);
    if (layer.in("x").rank() != 1) throw refuse("with a shape of several axes, expected --shape N");
    std::vector<std::int32_t> q;
    for (std::int64_t i = 0; i < n; ++i) q.push_back(static_cast<std::int32_t>(i - n / 2));
    set_integers(layer.inputs.at("x"), q);
    d.notes.push_back("every accumulator in " + std::to_string(-n / 2) + " to " + std::to_string(n - n / 2 - 1));
    d.cases.push_back(std::move(layer));
    return d;
  }
  if (codes > (std::int64_t{1} << 20)) throw refuse("with " + std::to_string(codes) + " combinations of codes, expected at most 2^20: 8-bit types");
  // a down, b across; a single input runs over its codes in rows of 16.
  const bool two = ports.size() == 2;
  const auto& first = probe.in(ports[0]).q;
  const std::int64_t rows = two ? first.qmax - first.qmin + 1 : codes / 16, columns = codes / rows;
  Workshop shaped = w;
  shaped.shapes.clear();
  shaped.shapes[ports[0]] = {rows, columns};
  shaped.request.count.reset();
  Layer layer;
  if (w.like) {
    layer = probe;
    for (auto* all : {&layer.inputs, &layer.outputs})
      for (auto& [port, t] : *all) t = Tensor::of_integers(t.name, t.dtype, {rows, columns}, t.q, std::vector<std::int32_t>(static_cast<std::size_t>(codes)));
  } else {
    layer = blank_layer(shaped, variant, rows, random);
  }
  for (std::size_t p = 0; p < ports.size(); ++p) {
    Tensor& t = layer.inputs.at(ports[p]);
    std::vector<std::int32_t> q;
    for (std::int64_t i = 0; i < codes; ++i) q.push_back(static_cast<std::int32_t>(t.q.qmin + (!two ? i : p == 0 ? i / columns : i % columns)));
    set_integers(t, q);
  }
  d.notes.push_back("every combination of codes: " + std::to_string(codes));
  d.cases.push_back(std::move(layer));
  return d;
}

}  // namespace

Suite exhaustive() { return {"exhaustive", "every code, pair of codes, or accumulator in a window, where that is finite", make}; }

}  // namespace lastbit::suites
