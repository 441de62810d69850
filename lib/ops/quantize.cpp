// quantize: y = clamp(round(x / scale) + zero_point), by one of the rules in lib/rules/quantize_value.hpp
#include "lib/error.hpp"
#include "lib/rules/pointwise.hpp"
#include "lib/rules/quantize_value.hpp"
#include "lib/rules/tensor_iterator.hpp"
#include "lib/rules/vector_width.hpp"

namespace lastbit::ops {
namespace {

void check(const Layer& layer) {
  const Tensor& y = layer.out();
  if (!is_float(layer.in("x").dtype)) throw Error(layer.place + ": input \"x\"", "found " + std::string(name(layer.in("x").dtype)) + ", expected a float type");
  if (!y.q.quantized()) throw Error(layer.place + ": output \"y\"", "found no scale, expected one");
  expect_shape(layer, "y", layer.in("x").shape);
}

/// Where a kernel computes some elements by another rule than the rest.
///   vector, tail      the last n % vector elements of a whole array
///   runs, tail        of a run of n elements, a channel's slice in memory, what is left behind its first floor((n - 1) / 8) * 8:
///                     the loop stops before it ends on the last element. Channels last along axis 1, channels of one position are a run
///   edges             elements of a run (a channel's slice) that share a byte with a neighbouring run, or the last byte with
///                     nothing: 4-bit values, two a byte
std::vector<bool> odd_ones(const Layer& layer, const Tensor& y, const Cell& cell) {
  std::vector<bool> odd(static_cast<std::size_t>(y.size()), false);
  const auto n = y.size();
  for (std::int64_t i = n - n % vector_width(layer, cell, 1); i < n; ++i) odd[static_cast<std::size_t>(i)] = true;
  if (cell.with.count("runs") && n > 0 && y.q.axis >= 0) {
    const auto axis = static_cast<std::size_t>(y.q.axis);
    const auto strides = memory_strides(y);
    const auto channels = y.shape[axis];
    const bool image = axis == 1 && (y.shape.size() == 4 || y.shape.size() == 5);
    const bool across = image && (y.memory_layout == "NHWC" || channels == 1 || channels * y.shape[0] == n);
    std::int64_t length = n;
    for (std::size_t k = 0; k <= axis; ++k) length /= y.shape[k];
    if (across) length = channels;
    const std::int64_t width = 8, whole = (length - 1) / width * width;
    for (std::int64_t i = 0; i < n; ++i) {
      std::int64_t at = 0, rest = i;
      for (std::size_t k = y.shape.size(); k-- > 0; rest /= y.shape[k]) at += rest % y.shape[k] * strides[k];
      odd[static_cast<std::size_t>(i)] = (across ? y.channel_of(i) : at % length) >= whole;
    }
  }
  if (cell.with.count("edges"))
    for (std::int64_t i = 0; i < n; ++i) {
      const bool begins = i == 0 || y.channel_of(i) != y.channel_of(i - 1), ends = i == n - 1 || y.channel_of(i) != y.channel_of(i + 1);
      odd[static_cast<std::size_t>(i)] = (begins && i % 2 == 1) || (ends && i % 2 == 0);
    }
  return odd;
}

// Cell parameters: rounding; vector or runs and tail, or edges: the rule of the elements that odd_ones names.
Result run(const Layer& layer, const Cell& cell) {
  const Tensor& out = layer.out();
  const QuantizeRule rule = quantize_rule(cell.get("rounding", "outside"), layer.place);
  const QuantizeRule other = quantize_rule(cell.get("tail", cell.get("edges", cell.get("rounding", "outside"))), layer.place);
  const auto odd = odd_ones(layer, out, cell);
  const Range range = stored_range(out);
  Result r;
  Computed& y = r.outputs["y"] = quantized_output(out.shape);
  const auto x = layer.in("x").f32();
  for (std::size_t i = 0; i < x.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    y.q[i] = static_cast<std::int32_t>(quantize_value(odd[i] ? other : rule, x[i], out.scale_at(at), out.zero_point_at(at), range, y.events[i]));
  }
  return r;
}

Real real(const Layer& layer, const Result&) {
  const Tensor& x = layer.in("x");
  return pointwise(x.size(), [&x]<class T>(std::int64_t i) { return T(x.value(i)); });
}

void facts(const Layer& layer, std::set<std::string>& f) {
  const auto& q = layer.out().q;
  if (q.axis >= 0 || q.scale.size() > 1) f.insert("y_per_channel");
  if (q.group_size > 0) f.insert("y_grouped");
  if (q.float_zero_point) f.insert("y_float_zero_point");
}

}  // namespace

Operator quantize() {
  return {.name = "quantize",
          .families = {},
          .formula = "y = clamp(round(x / scale) + zero_point)",
          .inputs = {{"x", "float32"}},
          .outputs = {{"y", "any integer type; its qparams say how"}},
          .attributes = {{"variant", "decomposed, decomposed_per_token (PT2E)"}, {"choose", "symmetric, asymmetric: how the qparams were chosen"}},
          .rules = {"quantize"},
          .check = check,
          .run = run,
          .real = real,
          .facts = facts};
}

}  // namespace lastbit::ops
