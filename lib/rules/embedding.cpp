// embedding.cpp: see embedding.hpp.
#include "lib/rules/embedding.hpp"

#include <memory>

#include "lib/error.hpp"
#include "lib/num/float.hpp"
#include "lib/rules/pointwise.hpp"

namespace lastbit {
namespace {

/// The rows that every output row adds up, in order.
struct Bags {
  std::vector<std::int64_t> row;      // of the table, per index
  std::vector<std::int64_t> start;    // first index of a bag; one more at the end
};

Bags bags_of(const Layer& layer) {
  const Tensor& w = layer.in("weight");
  Bags b;
  b.row = layer.in("indices").i64();
  for (std::size_t i = 0; i < b.row.size(); ++i)
    if (b.row[i] < 0 || b.row[i] >= w.dim(0))
      throw Error(layer.place + ": input \"indices\"", "found " + std::to_string(b.row[i]) + " at " + std::to_string(i) + ", expected a row of the table, 0 to " + std::to_string(w.dim(0) - 1));
  const auto n = static_cast<std::int64_t>(b.row.size());
  const Tensor& indices = layer.in("indices");
  if (layer.op == "embedding") {
    for (std::int64_t i = 0; i <= n; ++i) b.start.push_back(i);
  } else if (const Tensor* offsets = layer.find("offsets")) {
    b.start = offsets->i64();
    if (!layer.attributes.boolean("include_last_offset", false)) b.start.push_back(n);
    for (std::size_t i = 0; i < b.start.size(); ++i)
      if (b.start[i] < (i ? b.start[i - 1] : 0) || b.start[i] > n)
        throw Error(layer.place + ": input \"offsets\"", "found " + std::to_string(b.start[i]) + " at " + std::to_string(i) + ", expected offsets that rise from 0 to " + std::to_string(n));
    if (b.start.empty()) throw Error(layer.place + ": input \"offsets\"", "found no element, expected one at least");
  } else {
    if (indices.rank() != 2) throw Error(layer.place + ": input \"indices\"", "found the shape " + to_string(indices.shape) + ", expected [bags, indices] without offsets");
    for (std::int64_t i = 0; i <= indices.dim(0); ++i) b.start.push_back(i * indices.dim(1));
  }
  return b;
}

Shape output_shape(const Layer& layer, const Bags& b) {
  Shape s = layer.op == "embedding" ? layer.in("indices").shape : Shape{static_cast<std::int64_t>(b.start.size()) - 1};
  s.push_back(layer.in("weight").dim(1));
  return s;
}

}  // namespace

void check_embedding(const Layer& layer) {
  const Tensor& w = layer.in("weight");
  if (w.rank() != 2 || is_float(w.dtype)) throw Error(layer.place + ": input \"weight\"", "found " + std::string(name(w.dtype)) + " " + to_string(w.shape) + ", expected integers [rows, D]");
  if (!w.q.quantized() || w.q.group_size > 0 || (w.q.scale.size() > 1 && w.q.axis != 0)) throw Error(layer.place + ": input \"weight\"", "found scales of another form, expected one a row");
  if (const Tensor* bias = layer.find("weight_bias"); bias && bias->size() != w.dim(0))
    throw Error(layer.place + ": input \"weight_bias\"", "found " + std::to_string(bias->size()) + " elements, expected " + std::to_string(w.dim(0)));
  for (const char* port : {"indices", "offsets"})
    if (const Tensor* t = layer.find(port); t && is_float(t->dtype)) throw Error(layer.place + ": input \"" + port + "\"", "found " + std::string(name(t->dtype)) + ", expected integers");
  if (const Tensor* each = layer.find("per_sample_weights"); each && each->size() != layer.in("indices").size())
    throw Error(layer.place + ": input \"per_sample_weights\"", "found " + std::to_string(each->size()) + " elements, expected " + std::to_string(layer.in("indices").size()));
  const std::string mode = layer.attributes.text("mode", "sum");
  if (mode != "sum" && mode != "mean") throw Error(layer.place + ": attribute \"mode\"", "found \"" + mode + "\", expected sum or mean");
  expect_shape(layer, "y", output_shape(layer, bags_of(layer)));
}

Result run_embedding(const Layer& layer, const Cell& cell) {
  const Tensor &w = layer.in("weight"), *bias = layer.find("weight_bias"), *each = layer.find("per_sample_weights");
  const Bags b = bags_of(layer);
  const std::int64_t D = w.dim(1);
  const auto rounded = [half = cell.with.count("half") > 0](float v) { return half ? half_to_float(float_to_half(v)) : v; };
  const bool divide = layer.attributes.text("mode", "sum") == "mean" && cell.get("mean", "ignored") == "divide";
  Result r;
  Computed& y = r.outputs["y"] = float_output(output_shape(layer, b));
  for (std::size_t bag = 0; bag + 1 < b.start.size(); ++bag) {
    float* out = y.f.data() + static_cast<std::int64_t>(bag) * D;
    for (std::int64_t i = b.start[bag]; i < b.start[bag + 1]; ++i) {
      const std::int64_t row = b.row[static_cast<std::size_t>(i)];
      float scale = rounded(static_cast<float>(w.q.scale_of(row)));
      float shift = bias ? rounded(static_cast<float>(bias->value(row))) : rounded(-(static_cast<float>(w.q.zero_point_of(row)) * static_cast<float>(w.q.scale_of(row))));
      if (each) {
        const float weight = static_cast<float>(each->value(i));
        scale = scale * weight;
        shift = shift * weight;
      }
      for (std::int64_t d = 0; d < D; ++d) {
        const float moved = out[d] + shift;
        out[d] = fused(static_cast<float>(w.integer(row * D + d)), scale, moved);
      }
    }
    const std::int64_t n = b.start[bag + 1] - b.start[bag];
    if (divide && n > 0)
      for (std::int64_t d = 0; d < D; ++d) out[d] = out[d] * (1.0f / static_cast<float>(n));
  }
  return r;
}

Real real_embedding(const Layer& layer, const Result&) {
  const Tensor &w = layer.in("weight"), *bias = layer.find("weight_bias"), *each = layer.find("per_sample_weights");
  const auto b = std::make_shared<const Bags>(bags_of(layer));
  const std::int64_t D = w.dim(1);
  const bool mean = layer.attributes.text("mode", "sum") == "mean";
  return pointwise(static_cast<std::int64_t>(b->start.size() - 1) * D, [b, &w, bias, each, D, mean]<class T>(std::int64_t i) {
    const auto bag = static_cast<std::size_t>(i / D);
    const std::int64_t d = i % D, n = b->start[bag + 1] - b->start[bag];
    T sum(0);
    for (std::int64_t k = b->start[bag]; k < b->start[bag + 1]; ++k) {
      const std::int64_t row = b->row[static_cast<std::size_t>(k)];
      T v = dequantized<T>(w, row * D + d);
      if (bias) v = v + T(bias->value(row));
      sum += each ? v * T(each->value(k)) : v;
    }
    return mean && n > 0 ? sum / T(n) : sum;
  });
}

}  // namespace lastbit
