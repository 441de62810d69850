// resample.cpp: see resample.hpp.
//
//   aten/src/ATen/native/UpSample.h                             compute_scales_value, nearest_neighbor_compute_source_index
//   aten/src/ATen/native/quantized/cpu/UpSampleNearest2d.cpp
#include "lib/rules/resample.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "lib/error.hpp"
#include "lib/num/round.hpp"
#include "lib/rules/copy.hpp"
#include "lib/rules/shapes.hpp"

namespace lastbit {

float Resampling::step(std::size_t axis) const {
  if (!scales.empty() && scales[axis] > 0) return static_cast<float>(1.0 / scales[axis]);
  return static_cast<float>(in[axis]) / static_cast<float>(out[axis]);
}

Resampling resampling_of(const Layer& layer, int dims) {
  const Tensor& x = layer.in("x");
  if (x.rank() < dims + 1) throw Error(layer.place + ": input \"x\"", "found the shape " + to_string(x.shape) + ", expected at least " + std::to_string(dims + 1) + " axes");
  Resampling r;
  r.in.assign(x.shape.end() - dims, x.shape.end());
  if (std::find(r.in.begin(), r.in.end(), 0) != r.in.end()) throw Error(layer.place + ": input \"x\"", "found the shape " + to_string(x.shape) + ", expected spatial sizes of at least 1");
  r.out = layer.attributes.integers("output_size", static_cast<std::size_t>(dims));
  for (const auto o : r.out)
    if (o < 1) throw Error(layer.place + ": attribute \"output_size\"", "found " + to_string(r.out) + ", expected sizes of at least 1");
  if (layer.attributes.has("scales")) {
    r.scales = layer.attributes.numbers("scales");
    if (r.scales.size() == 1) r.scales.assign(static_cast<std::size_t>(dims), r.scales[0]);
    if (r.scales.size() != static_cast<std::size_t>(dims) || !std::all_of(r.scales.begin(), r.scales.end(), [](double s) { return std::isfinite(s); }))
      throw Error(layer.place + ": attribute \"scales\"", "found " + std::to_string(r.scales.size()) + " numbers, expected " + std::to_string(dims) + " finite ones");
  }
  Shape shape(x.shape.begin(), x.shape.end() - dims);
  shape.insert(shape.end(), r.out.begin(), r.out.end());
  expect_shape(layer, "y", shape);
  return r;
}

bool is_copied(const Layer& layer, const Resampling& r, const Result& result) {
  const auto y = result.outputs.find("y");
  return r.in == r.out && y != result.outputs.end() && !is_float(layer.in("x").dtype) && y->second.q == layer.in("x").i32();
}

namespace {

template <int dims, bool exact>
std::vector<std::int64_t> source(const Layer& layer, const Resampling& r, bool copied) {
  const Tensor& x = layer.in("x");
  std::vector<std::vector<std::int64_t>> axes;
  for (std::int64_t a = 0; a < x.rank() - dims; ++a) {
    axes.emplace_back(static_cast<std::size_t>(x.dim(a)));
    std::iota(axes.back().begin(), axes.back().end(), 0);
  }
  for (std::size_t a = 0; a < static_cast<std::size_t>(dims); ++a) {
    const float step = r.step(a);
    axes.emplace_back();
    for (std::int64_t o = 0; o < r.out[a]; ++o) {
      const float middle = static_cast<float>(o) + 0.5f, at = copied ? static_cast<float>(o) : (exact ? middle : static_cast<float>(o)) * step;
      axes.back().push_back(at < static_cast<float>(r.in[a] - 1) ? to_integer(static_cast<double>(at), Rounding::floor).value : r.in[a] - 1);
    }
  }
  return moved_index(x.shape, layer.out().shape, axes);
}

template <int dims, bool exact>
Operator make(const std::string& name) {
  return {.name = name,
          .families = {"move"},
          .formula = exact ? "y[o] = x[min(floor((o + 0.5) * step), in - 1)] along every spatial axis" : "y[o] = x[min(floor(o * step), in - 1)] along every spatial axis",
          .inputs = {{"x", "any [N, C, spatial]"}},
          .outputs = {{"y", "like x"}},
          .attributes = {{"output_size", "integers >= 1, one per spatial axis"}, {"scales", "numbers > 0, one per spatial axis (output over input size)"}},
          .rules = {"copy"},
          .spatial = true,
          .check = [](const Layer& layer) { resampling_of(layer, dims); },
          .run = [](const Layer& layer, const Cell& cell) {
            const Resampling r = resampling_of(layer, dims);
            return copy_elements(layer.in("x"), source<dims, exact>(layer, r, cell.get("same_size") == "copied" && r.in == r.out), layer.out().shape);
          },
          .real = [](const Layer& layer, const Result& result) {
            const Resampling r = resampling_of(layer, dims);
            return real_copy(layer.in("x"), source<dims, exact>(layer, r, is_copied(layer, r, result)));
          }};
}

}  // namespace

Operator nearest(const std::string& name, int dims, bool exact) {
  if (exact) return make<2, true>(name);
  return dims == 1 ? make<1, false>(name) : dims == 2 ? make<2, false>(name) : make<3, false>(name);
}

}  // namespace lastbit
