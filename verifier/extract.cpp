// extract.cpp: see extract.hpp.
#include "verifier/extract.hpp"

#include <algorithm>
#include <cstring>
#include <exception>

#include "lib/dump/write.hpp"
#include "lib/error.hpp"
#include "lib/rules/accumulation.hpp"
#include "reports/words.hpp"
#include "verifier/cause.hpp"
#include "verifier/evaluate.hpp"

namespace lastbit {
namespace {

/// t[..., from:to, ...] along an axis; per-channel qparams of that axis follow.
Tensor sliced(const Tensor& t, std::size_t axis, std::int64_t from, std::int64_t to) {
  Shape shape = t.shape;
  shape[axis] = to - from;
  std::int64_t inner = stored_bytes(t.dtype), outer = 1;
  for (std::size_t a = axis + 1; a < t.shape.size(); ++a) inner *= t.shape[a];
  for (std::size_t a = 0; a < axis; ++a) outer *= t.shape[a];
  std::vector<std::byte> bytes;
  for (std::int64_t o = 0; o < outer; ++o) {
    const std::byte* row = t.data + (o * t.shape[axis] + from) * inner;
    bytes.insert(bytes.end(), row, row + (to - from) * inner);
  }
  Quantization q = t.q;
  if (q.axis == static_cast<int>(axis) && q.group_size == 0) {
    const auto cut = [&](std::vector<double>& v) {
      if (v.size() > 1) v = {v.begin() + from, v.begin() + to};
    };
    cut(q.scale), cut(q.zero_point);
  }
  Tensor r = Tensor::of(t.name, t.dtype, std::move(shape), std::move(q), std::move(bytes));
  r.memory_layout = t.memory_layout;
  return r;
}

class Shrinker {
 public:
  Shrinker(const Dump& dump, const LayerEntry& entry, Layer layer, const Operator& op, const Profile& profile) : layer_(std::move(layer)), op_(op), profile_(profile), dump_(dump), entry_(entry) {
    for (auto* ports : {&layer_.inputs, &layer_.outputs})
      for (auto& [port, t] : *ports) t.stored_axes.clear();  // written in NC… order
    where_ = first_difference(layer_);
    if (where_ >= 0) expected_ = expected(evaluated(layer_), where_);
  }
  bool differs() const { return where_ >= 0; }
  const Layer& layer() const { return layer_; }
  std::vector<std::string> steps;

  /// Keeps the cut when the layer still differs.
  void attempt(const std::string& step, const std::function<void(Layer&, const std::vector<std::int64_t>& at)>& cut) {
    if (where_ < 0) return;
    Layer smaller = layer_;
    const Tensor& y = layer_.out("y");
    std::vector<std::int64_t> at(y.shape.size());
    std::int64_t i = where_;
    for (std::size_t a = at.size(); a-- > 0;) at[a] = i % y.shape[a], i /= y.shape[a];
    try {
      cut(smaller, at);
      set_producer(smaller, &op_, smaller.producer);
      if (op_.check) op_.check(smaller);
      const Evaluated e = evaluated(smaller);
      const Tensor& less = e.layer.out("y");
      std::int64_t where = 0;  // the same element, which must still differ by the same values: a cut that changes what is computed is none
      for (std::size_t a = 0; a < at.size(); ++a) where = where * less.shape[a] + at[a] % less.shape[a];
      if (!std::binary_search(e.compared.at("y").differing.begin(), e.compared.at("y").differing.end(), where)) return;
      if (!same_value(expected(e, where), expected_) || !same_value(less.value(where), y.value(where_))) return;
      if (smaller.out("y").size() == layer_.out("y").size() && input_size(smaller) == input_size(layer_)) return;
      if (!cause_.empty() && !says_the_same(e)) return;  // one element alone fits many a rule
      layer_ = std::move(smaller);
      where_ = where;
      steps.push_back(step);
    } catch (const std::exception&) {  // not a cut of this layer
    }
  }

 private:
  Evaluated evaluated(const Layer& layer) const {
    const Cell* cell = cell_for(profile_, op_, layer);
    if (!cell || !layer.has_out("y")) throw Error(layer.place, "found no arithmetic for what is left, expected the layer's own");
    Evaluated e = evaluate(layer, op_, *cell);
    if (!e.compared.count("y")) throw Error(layer.place, "found nothing to compare, expected an output");
    return e;
  }
  LayerReport attributed(const Evaluated& e) const {
    LayerReport report;
    attribute(Case(dump_, entry_, e.layer, op_, profile_, *cell_for(profile_, op_, e.layer), e.result.outputs.at("y"), "y", e.compared.at("y")), report);
    return report;
  }
  /// Whether the cause of the whole layer is still the first, or one that what is left cannot tell from it.
  bool says_the_same(const Evaluated& e) const {
    const LayerReport report = attributed(e);
    if (report.causes.empty()) return false;
    const CauseFound& first = report.causes.front();
    return first.name == cause_ || std::find(first.group.begin(), first.group.end(), cause_) != first.group.end();
  }
  static double expected(const Evaluated& e, std::int64_t i) {
    const Computed& c = e.result.outputs.at("y");
    return c.f.empty() ? static_cast<double>(c.q[static_cast<std::size_t>(i)]) : static_cast<double>(c.f[static_cast<std::size_t>(i)]);
  }
  static std::int64_t input_size(const Layer& layer) {
    std::int64_t n = 0;
    for (const auto& [port, t] : layer.inputs) n += t.size();
    return n;
  }
  /// The element to keep: one that the first cause explains, else one that is not at an end of the range, which says most.
  std::int64_t first_difference(const Layer& layer) {
    const Cell* cell = cell_for(profile_, op_, layer);
    if (!cell || !layer.has_out("y")) return -1;
    const Evaluated e = evaluate(layer, op_, *cell);
    const auto it = e.compared.find("y");
    if (it == e.compared.end() || it->second.differing.empty()) return -1;
    const Tensor& y = e.layer.out("y");
    const LayerReport report = attributed(e);
    if (!report.causes.empty()) cause_ = report.causes[0].name;
    if (!report.causes.empty() && !report.causes[0].deciding.empty()) {
      std::int64_t i = 0;
      for (std::size_t a = 0; a < y.shape.size(); ++a) i = i * y.shape[a] + report.causes[0].deciding[0][a];
      return i;
    }
    for (const auto i : it->second.differing)
      if (is_float(y.dtype) || (y.integer(i) > y.q.qmin && y.integer(i) < y.q.qmax)) return i;
    return it->second.differing.front();
  }
  Layer layer_;
  const Operator& op_;
  const Profile& profile_;
  const Dump& dump_;
  const LayerEntry& entry_;
  std::int64_t where_ = -1;
  double expected_ = 0;
  std::string cause_;  // the first that the whole layer has
};

/// One output position of a convolution: the window it reads, with as much of the padding as it touches.
void cut_position(Layer& layer, const std::vector<std::int64_t>& at) {
  const int dims = static_cast<int>(layer.in("x").rank()) - 2;
  const Geometry g = conv_geometry(layer, dims, false);
  std::vector<std::int64_t> begins, ends;
  for (int d = 0; d < dims; ++d) {
    const std::size_t a = 3 - static_cast<std::size_t>(dims) + static_cast<std::size_t>(d), axis = static_cast<std::size_t>(d) + 2;
    const std::int64_t start = at[axis] * g.stride[a] - g.begin[a], stop = start + g.dilation[a] * (g.kernel[a] - 1) + 1;
    const std::int64_t from = std::clamp<std::int64_t>(start, 0, g.in[a] - 1), to = std::clamp<std::int64_t>(stop, from + 1, g.in[a]);
    begins.push_back(std::max<std::int64_t>(0, from - start));
    ends.push_back(std::max<std::int64_t>(0, stop - to));
    layer.inputs.at("x") = sliced(layer.inputs.at("x"), axis, from, to);
    layer.outputs.at("y") = sliced(layer.outputs.at("y"), axis, at[axis], at[axis] + 1);
  }
  begins.insert(begins.end(), ends.begin(), ends.end());
  layer.attributes.values["padding"] = begins;
}

void cut_channel(Layer& layer, const std::vector<std::int64_t>& at, std::size_t axis) {
  const std::int64_t o = at[axis];
  layer.inputs.at("weight") = sliced(layer.in("weight"), 0, o, o + 1);
  if (layer.find("bias")) layer.inputs.at("bias") = sliced(layer.in("bias"), 0, o, o + 1);
  layer.outputs.at("y") = sliced(layer.out("y"), axis, o, o + 1);
}

/// One index along an axis of the output, in every input that has that axis too. Where an operator is not independent along
/// it the element's value changes, and the cut is not kept.
void cut_axis(Layer& layer, const std::vector<std::int64_t>& at, std::size_t axis) {
  const Tensor y = layer.out("y");
  for (auto& [port, t] : layer.inputs) {
    if (t.shape.size() == y.shape.size() && t.shape[axis] == y.shape[axis]) t = sliced(t, axis, at[axis], at[axis] + 1);
    else if (t.shape.size() == 1 && axis == 1 && t.shape[0] == y.shape[1]) t = sliced(t, 0, at[1], at[1] + 1);  // one value a channel
  }
  layer.outputs.at("y") = sliced(y, axis, at[axis], at[axis] + 1);
}

void cut_product(Layer& layer, const std::vector<std::int64_t>& at, bool column) {
  const std::size_t rank = at.size(), axis = column ? rank - 1 : rank - 2;
  const Tensor &a = layer.in("a"), &b = layer.in("b");
  const std::size_t in_a = a.shape.size() - 2, in_b = b.shape.size() - (layer.attributes.boolean("transpose_b", false) ? 2 : 1);
  if (column) layer.inputs.at("b") = sliced(b, in_b, at[axis], at[axis] + 1);
  else layer.inputs.at("a") = sliced(a, in_a, at[axis], at[axis] + 1);
  if (column && layer.find("bias")) layer.inputs.at("bias") = sliced(layer.in("bias"), 0, at[axis], at[axis] + 1);
  layer.outputs.at("y") = sliced(layer.out("y"), axis, at[axis], at[axis] + 1);
}

void cut_transposed_channel(Layer& layer, const std::vector<std::int64_t>& at) {
  layer.inputs.at("weight") = sliced(layer.in("weight"), 1, at[1], at[1] + 1);
  if (layer.find("bias")) layer.inputs.at("bias") = sliced(layer.in("bias"), 0, at[1], at[1] + 1);
  layer.outputs.at("y") = sliced(layer.out("y"), 1, at[1], at[1] + 1);
}

void shrink(Shrinker& s) {
  const Layer& layer = s.layer();
  const bool linear = layer.op == "linear" || layer.op == "linear_dynamic", conv = layer.op == "conv1d" || layer.op == "conv2d" || layer.op == "conv3d";
  if (layer.op == "matmul") {
    for (std::size_t axis = 0; axis + 2 < layer.out("y").shape.size(); ++axis) s.attempt("one matrix of the batch", [axis](Layer& l, const std::vector<std::int64_t>& at) { cut_axis(l, at, axis); });
    s.attempt("one row", [](Layer& l, const std::vector<std::int64_t>& at) { cut_product(l, at, false); });
    s.attempt("one column", [](Layer& l, const std::vector<std::int64_t>& at) { cut_product(l, at, true); });
    return;
  }
  if (!linear && layer.op.rfind("conv", 0) != 0) {
    for (std::size_t axis = 0; axis < layer.out("y").shape.size(); ++axis)
      s.attempt("one index of axis " + std::to_string(axis), [axis](Layer& l, const std::vector<std::int64_t>& at) { cut_axis(l, at, axis); });
    return;
  }
  if (layer.inputs.count("x") && layer.in("x").rank() > 1 && layer.has_out("y") && layer.in("x").dim(0) == layer.out("y").dim(0))
    s.attempt("one row of the batch", [](Layer& l, const std::vector<std::int64_t>& at) {
      l.inputs.at("x") = sliced(l.in("x"), 0, at[0], at[0] + 1);
      l.outputs.at("y") = sliced(l.out("y"), 0, at[0], at[0] + 1);
    });
  if (linear) s.attempt("one output channel", [](Layer& l, const std::vector<std::int64_t>& at) { cut_channel(l, at, at.size() - 1); });
  if (layer.op.rfind("conv_transpose", 0) == 0 && layer.attributes.integer("groups", 1) == 1) s.attempt("one output channel", cut_transposed_channel);
  if (!conv) return;
  if (layer.attributes.integer("groups", 1) == 1) s.attempt("one output channel", [](Layer& l, const std::vector<std::int64_t>& at) { cut_channel(l, at, 1); });
  else
    s.attempt("one group", [](Layer& l, const std::vector<std::int64_t>& at) {
      const std::int64_t groups = l.attributes.integer("groups"), og = l.out("y").dim(1) / groups, cg = l.in("x").dim(1) / groups, g = at[1] / og;
      l.inputs.at("x") = sliced(l.in("x"), 1, g * cg, (g + 1) * cg);
      l.inputs.at("weight") = sliced(l.in("weight"), 0, g * og, (g + 1) * og);
      if (l.find("bias")) l.inputs.at("bias") = sliced(l.in("bias"), 0, g * og, (g + 1) * og);
      l.outputs.at("y") = sliced(l.out("y"), 1, g * og, (g + 1) * og);
      l.attributes.values["groups"] = std::int64_t{1};
    });
  s.attempt("one output position", cut_position);
}

}  // namespace

Extraction extract(const ExtractOptions& options) {
  const Dump dump = Dump::open(options.dump);
  const LayerEntry& entry = find_layer(dump, options.layer);
  const ChosenProfile chosen = choose_profile(dump, entry, options.profile);
  const Operator* op = find_operator(entry.op);
  if (const auto why = obstacle(entry, chosen, op); !why.empty()) throw Error(dump.name() + ": layer " + entry.name, "found a layer that cannot be checked (" + why + "), expected one that can");
  Shrinker s(dump, entry, bind_layer(dump, entry, chosen.isa), *op, *chosen.profile);
  if (s.differs()) shrink(s);
  DumpToWrite out;
  out.producer = dump.producer();
  out.profile = chosen.profile->name + (chosen.isa.empty() ? "" : "@" + chosen.isa);
  out.layers.push_back(s.layer());
  write_dump(options.out, out);
  const Dump again = Dump::open(options.out);
  const LayerEntry& only = again.layers().front();
  const ChosenProfile same = choose_profile(again, only, "");
  Layer layer = bind_layer(again, only, same.isa);
  const Cell* cell = cell_for(*same.profile, *op, layer);
  ensure(cell != nullptr, "an extracted layer lost its arithmetic");
  const Evaluated e = evaluate(std::move(layer), *op, *cell);
  Extraction x;
  x.steps = s.steps;
  for (const auto& [port, c] : e.compared) x.elements += c.elements, x.mismatches += c.mismatches;
  ensure(!s.layer().has_out("y") || (x.mismatches > 0) == s.differs(), "an extracted layer differs otherwise than the layer it came from");
  x.command = words::shell({"lastbit", "verify", options.out});
  return x;
}

}  // namespace lastbit
