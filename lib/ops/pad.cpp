// pad: elements added around x: a constant, or x's own by reflection, replication or wrapping around
//
// `pad` counts from the last axis: [left, right, top, bottom, ...]; a negative entry cuts elements off. The constant is
// brought to the stored integers as a whole array is, by the cell's rule.
#include <algorithm>
#include <numeric>

#include "lib/error.hpp"
#include "lib/rules/copy.hpp"
#include "lib/rules/pointwise.hpp"
#include "lib/rules/quantize_value.hpp"
#include "lib/rules/shapes.hpp"

namespace lastbit::ops {
namespace {

struct Amount {
  std::int64_t before = 0, after = 0;
};

std::vector<Amount> amounts(const Layer& layer) {
  const Tensor& x = layer.in("x");
  const auto pad = layer.attributes.list("pad");
  if (pad.size() % 2 || pad.size() / 2 > x.shape.size())
    throw Error(layer.place + ": attribute \"pad\"", "found " + std::to_string(pad.size()) + " entries, expected pairs, at most " + std::to_string(x.rank()));
  std::vector<Amount> all(x.shape.size());
  for (std::size_t i = 0; i + 1 < pad.size(); i += 2) {
    for (const auto p : {pad[i], pad[i + 1]})
      if (p <= -(std::int64_t{1} << 31) || p >= (std::int64_t{1} << 31)) throw Error(layer.place + ": attribute \"pad\"", "found " + std::to_string(p) + ", expected an int32");
    all[x.shape.size() - 1 - i / 2] = {pad[i], pad[i + 1]};
  }
  return all;
}

std::string mode_of(const Layer& layer) {
  const std::string mode = layer.attributes.text("mode", "constant");
  if (mode != "constant" && mode != "reflect" && mode != "replicate" && mode != "circular")
    throw Error(layer.place + ": attribute \"mode\"", "found \"" + mode + "\", expected constant, reflect, replicate or circular");
  return mode;
}

void check(const Layer& layer) {
  const Tensor& x = layer.in("x");
  const std::string mode = mode_of(layer);
  const auto pad = amounts(layer);
  Shape shape;
  for (std::size_t a = 0; a < pad.size(); ++a) {
    const std::int64_t size = x.shape[a], most = mode == "reflect" ? size - 1 : mode == "circular" ? size : std::int64_t{1} << 31;
    shape.push_back(std::max<std::int64_t>(size + pad[a].before + pad[a].after, 0));
    if (pad[a].before > most || pad[a].after > most || (mode == "replicate" && size == 0))
      throw Error(layer.place + ": attribute \"pad\"", "found " + std::to_string(std::max(pad[a].before, pad[a].after)) + " with mode " + mode + " along an axis of " + std::to_string(size) + ", expected at most " + std::to_string(most));
  }
  if (mode == "constant") layer.attributes.number("value", 0.0);
  if (is_float(x.dtype) != is_float(layer.out().dtype)) throw Error(layer.place + ": output \"y\"", "found " + std::string(name(layer.out().dtype)) + ", expected " + std::string(name(x.dtype)));
  expect_shape(layer, "y", shape);
}

std::vector<std::int64_t> source(const Layer& layer) {
  const Tensor& x = layer.in("x");
  const std::string mode = mode_of(layer);
  const auto pad = amounts(layer);
  std::vector<std::vector<std::int64_t>> axes;
  for (std::size_t a = 0; a < pad.size(); ++a) {
    const std::int64_t size = x.shape[a];
    axes.emplace_back();
    for (std::int64_t o = 0; o < layer.out().shape[a]; ++o) {
      std::int64_t i = o - pad[a].before;
      if (i < 0 || i >= size) {
        if (mode == "reflect") i = i < 0 ? -i : 2 * (size - 1) - i;
        else if (mode == "replicate") i = i < 0 ? 0 : size - 1;
        else if (mode == "circular") i = i < 0 ? i + size : i - size;
        else i = -1;
      }
      axes.back().push_back(i);
    }
  }
  return moved_index(x.shape, layer.out().shape, axes);
}

Result run(const Layer& layer, const Cell& cell) {
  const Tensor& out = layer.out();
  const double value = mode_of(layer) == "constant" ? layer.attributes.number("value", 0.0) : 0.0;
  double fill = value;
  Events events = 0;
  if (!is_float(out.dtype) && out.q.quantized())
    fill = static_cast<double>(quantize_value(quantize_rule(cell.get("rounding", "outside"), layer.place), static_cast<float>(value), out.q.scale_of(0), out.q.zero_point_of(0), stored_range(out), events));
  return copy_elements(layer.in("x"), source(layer), out.shape, fill);
}

Real real(const Layer& layer, const Result&) {
  const Tensor& x = layer.in("x");
  const double value = mode_of(layer) == "constant" ? layer.attributes.number("value", 0.0) : 0.0;
  const auto index = std::make_shared<const std::vector<std::int64_t>>(source(layer));
  return pointwise(layer.out().size(), [&x, index, value]<class T>(std::int64_t i) -> T {
    const std::int64_t at = (*index)[static_cast<std::size_t>(i)];
    return at < 0 ? T(value) : dequantized<T>(x, at);
  });
}

}  // namespace

Operator pad() {
  return {.name = "pad",
          .families = {},
          .formula = "y = x with elements added around it",
          .inputs = {{"x", "any"}},
          .outputs = {{"y", "like x"}},
          .attributes = {{"pad", "integers, pairs from the last axis on"}, {"mode", "constant, reflect, replicate, circular (constant)"}, {"value", "number (0)"}},
          .rules = {"copy"},
          .check = check,
          .run = run,
          .real = real};
}

}  // namespace lastbit::ops
