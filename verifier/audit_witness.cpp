// audit_witness.cpp: an input that reaches the worst case, as a dump. See audit_parts.hpp.
#include <algorithm>

#include "lib/dump/write.hpp"
#include "verifier/audit_parts.hpp"

namespace lastbit {
namespace {

struct Target {
  std::int64_t channel = 0;
  bool maximum = true;
  Extreme at;
};

/// The channel and the end that are largest in size.
Target target_of(const std::vector<SumBounds>& bounds) {
  Target best;
  double size = -1;
  for (std::size_t o = 0; o < bounds.size(); ++o)
    for (const bool maximum : {true, false}) {
      const Extreme& e = maximum ? bounds[o].max : bounds[o].min;
      const double s = maximum ? static_cast<double>(e.value) : -static_cast<double>(e.value);
      if (s > size) size = s, best = {static_cast<std::int64_t>(o), maximum, e};
    }
  return best;
}

/// Integers of x, for one element of the batch.
std::vector<std::int32_t> input_of(const LayerSums& s, const Target& t) {
  Geometry one = s.parts[t.at.part].g;
  one.batch = 1;
  AccumulationInput in = s.parts[t.at.part].in;
  const InputRange& range = s.x[t.at.range];
  in.x_zero_point = range.zero_point;
  return witness(one, in, range.min, range.max, t.channel, t.at.position, t.maximum);
}

/// The float, in scales, that a run-time quantization turns into q: the ends of a reduced range are half a scale further apart.
float real_of(std::int32_t q, const InputRange& r, bool reduced) {
  const auto z = static_cast<float>(r.zero_point), v = static_cast<float>(q);
  if (reduced && r.zero_point != r.min && r.zero_point != r.max) return q == r.max ? v - z - 0.5f : q == r.min ? v - z + 0.5f : v - z;
  return v - z;
}

Shape with_one_row(Shape shape, bool rows) {
  if (rows) return {1, shape.back()};
  shape[0] = 1;
  return shape;
}

void set_matmul_inputs(Layer& layer, const LayerSums& s, const Target& t) {
  Tensor &a = layer.inputs.at("a"), &b = layer.inputs.at("b");
  const Geometry& g = s.parts[t.at.part].g;
  const std::int64_t K = g.in_channels, N = g.out_channels;
  std::vector<std::int32_t> row, columns = s.parts[t.at.part].in.w;
  if (!s.free) row = input_of(s, t);
  else {
    const InputRange &ra = s.x[0], &rb = *s.free;
    std::int64_t best_a = ra.min, best_b = rb.min, best = 0;
    bool first = true;
    for (const std::int64_t va : {ra.min, ra.max})
      for (const std::int64_t vb : {rb.min, rb.max}) {
        const std::int64_t p = (va - ra.zero_point) * (vb - rb.zero_point);
        if (first || (t.maximum ? p > best : p < best)) best = p, best_a = va, best_b = vb;
        first = false;
      }
    row.assign(static_cast<std::size_t>(K), static_cast<std::int32_t>(best_a));
    std::fill_n(columns.begin() + t.channel * K, K, static_cast<std::int32_t>(best_b));
  }
  std::vector<std::int32_t> stored(columns.size());
  const bool transposed = layer.attributes.boolean("transpose_b", false);
  for (std::int64_t n = 0; n < N; ++n)
    for (std::int64_t k = 0; k < K; ++k) stored[static_cast<std::size_t>(transposed ? n * K + k : k * N + n)] = columns[static_cast<std::size_t>(n * K + k)];
  Quantization q = b.q;
  if (q.axis >= 0) q.axis = transposed ? 0 : 1;
  a = Tensor::of_integers("a", a.dtype, {1, K}, a.q, row);
  b = Tensor::of_integers("b", b.dtype, transposed ? Shape{N, K} : Shape{K, N}, q, stored);
}

void set_x(Layer& layer, const LayerSums& s, const Target& t) {
  Tensor& x = layer.inputs.at("x");
  const std::string memory = x.memory_layout;
  const bool rows = layer.op.rfind("linear", 0) == 0;
  const Shape shape = with_one_row(x.shape, rows);
  std::vector<std::int32_t> q = input_of(s, t);
  if (s.parts.size() > 1) {  // the other groups hold zero points
    std::vector<std::int32_t> row(static_cast<std::size_t>(count(shape)), static_cast<std::int32_t>(s.x[t.at.range].zero_point));
    std::copy(q.begin(), q.end(), row.begin() + s.parts[t.at.part].terms_from);
    q = std::move(row);
  }
  if (is_float(x.dtype)) {
    const bool reduced = layer.attributes.boolean("reduce_range", false);
    const bool fixed = layer.attributes.has("input_scale");
    const double unit = fixed ? layer.attributes.number("input_scale") : s.bias.empty() ? 1.0 : s.parts[0].in.x_scale;  // an integer bias depends on the scale: keep it
    const float scale = static_cast<float>(unit);
    std::vector<float> values;
    for (const auto v : q) values.push_back(real_of(v, s.x[t.at.range], reduced && !fixed) * scale);
    x = Tensor::of_floats("x", shape, values);
  } else x = Tensor::of_integers("x", x.dtype, shape, x.q, q);
  x.memory_layout = memory;
  if (const auto a = layer.inputs.find("a"); a != layer.inputs.end()) {  // what is added after the sums
    const Shape one = with_one_row(a->second.shape, rows);
    const std::vector<std::int32_t> zeros(static_cast<std::size_t>(count(one)), static_cast<std::int32_t>(a->second.q.integer_zero_point()));
    a->second = Tensor::of_integers("a", a->second.dtype, one, a->second.q, zeros);
  }
}

}  // namespace

WitnessDump write_witness(const Audited& l, const LayerSums& s, const std::string& directory) {
  const Target t = target_of(worst_case(s));
  Layer layer = l.own.layer;
  layer.name += ".witness";
  if (layer.op == "matmul") set_matmul_inputs(layer, s, t);
  else set_x(layer, s, t);
  for (auto& [port, tensor] : layer.inputs) tensor.name = port, tensor.stored_axes.clear();
  const std::string port = counted_output(l.own.result, l.own.layer);
  const Tensor like = layer.out(port);
  Tensor y = like;
  const Shape shape = layer.op == "matmul" ? Shape{1, like.dim(-1)} : with_one_row(like.shape, layer.op.rfind("linear", 0) == 0);
  const std::vector<std::int32_t> zeros(static_cast<std::size_t>(count(shape)), static_cast<std::int32_t>(like.q.qmin));
  y = is_float(like.dtype) ? Tensor::of_floats(port, shape, std::vector<float>(zeros.size())) : Tensor::of_integers(port, like.dtype, shape, like.q, zeros);
  layer.outputs.clear();
  layer.outputs.emplace(port, y);
  set_producer(layer, &l.op, layer.producer);  // one row may go another way than many
  const Cell* cell = cell_for(l.profile, l.op, layer);
  const Result r = l.op.run(layer, cell ? *cell : l.cell);
  const Computed& c = r.outputs.at(port);
  layer.outputs.at(port) = is_float(like.dtype) ? Tensor::of_floats(port, shape, c.f) : Tensor::of_integers(port, like.dtype, shape, like.q, c.q);
  DumpToWrite w;
  w.producer = layer.producer;
  w.profile = l.profile.name + (l.isa.empty() ? "" : "@" + l.isa);
  w.layers.push_back(layer);
  std::string file = l.own.layer.name;
  std::replace_if(file.begin(), file.end(), [](char ch) { return !std::isalnum(static_cast<unsigned char>(ch)) && ch != '.' && ch != '_' && ch != '-'; }, '_');
  const std::string path = directory + "/" + file;
  write_dump(path, w);
  return {path, t.at.value, t.maximum ? r.acc_max : r.acc_min};
}

}  // namespace lastbit
