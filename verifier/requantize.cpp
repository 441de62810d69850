// requantize.cpp: see requantize.hpp. A layer of one term a channel is made up, so that the profile's own conditions choose the cell.
#include "verifier/requantize.hpp"

#include <algorithm>

#include "lib/error.hpp"
#include "lib/layer/operator.hpp"
#include "lib/rules/accumulation.hpp"
#include "verifier/evaluate.hpp"

namespace lastbit {
namespace {

constexpr std::int64_t in_channels = 16;  // not a number that a runtime has a kernel of its own for

void check_scales(const std::string& what, const std::vector<double>& scales) {
  for (const double v : scales)
    if (!(v > 0) || v > 1e300) throw Error(what, "found " + std::to_string(v) + ", expected positive finite numbers");
}

void check_count(const std::string& what, std::size_t n, std::int64_t channels, bool may_be_none) {
  if (n == static_cast<std::size_t>(channels) || (n == 1 && !may_be_none) || (n == 0 && may_be_none)) return;
  throw Error(what, "found " + std::to_string(n) + " entries, expected one for each of " + std::to_string(channels) + " channels");
}

DType output_type(const RequantizeOptions& o) {
  const auto dtype = dtype_named(o.dtype);
  if (!dtype || is_float(*dtype)) throw Error("dtype", "found \"" + o.dtype + "\", expected int8, uint8, int16, ...");
  return *dtype;
}

void check(const RequantizeOptions& o, DType dtype) {
  if (o.channels < 1 || o.inner < 1) throw Error("acc", "found no channel, expected one at least");
  check_scales("scale_in", o.scale_in);
  check_scales("scale_weight", o.scale_weight);
  check_scales("scale_out", o.scale_out);
  check_count("scale_in", o.scale_in.size(), o.channels, false);
  check_count("scale_weight", o.scale_weight.size(), o.channels, false);
  check_count("scale_out", o.scale_out.size(), o.channels, false);
  check_count("zero_point", o.zero_point.size(), o.channels, false);
  check_count("bias", o.bias.size(), o.channels, true);
  check_count("bias", o.integer_bias.size(), o.channels, true);
  if (!o.bias.empty() && !o.integer_bias.empty()) throw Error("bias", "found two, expected one in real units or one of integers");
  for (const std::int64_t v : o.zero_point)
    if (v < info(dtype).min || v > info(dtype).max) throw Error("zero_point", "found " + std::to_string(v) + ", expected a value of " + o.dtype);
}

// x [2, I] or [2, I, 1...]: two rows, because a single one is a kernel of its own in some runtimes.
Layer made_up(const RequantizeOptions& o, DType dtype, const std::string& isa) {
  static const std::vector<std::string> known{"linear", "conv1d", "conv2d", "conv3d"};
  const auto it = std::find(known.begin(), known.end(), o.op);
  if (it == known.end()) throw Error("op", "found \"" + o.op + "\", expected linear, conv1d, conv2d or conv3d");
  Shape x{2, in_channels}, w{o.channels, in_channels}, y{2, o.channels};
  for (std::ptrdiff_t axis = 0; axis < it - known.begin(); ++axis)
    for (Shape* s : {&x, &w, &y}) s->push_back(1);
  const auto zeros = [](const Shape& s) { return std::vector<std::int32_t>(static_cast<std::size_t>(s[0] * s[1]), 0); };
  const auto stored = [](DType t, double scale, std::int64_t zero) {
    Quantization q{.scale = {scale}, .zero_point = {static_cast<double>(zero)}};
    q.qmin = info(t).min, q.qmax = info(t).max;
    return q;
  };
  Layer layer;
  layer.name = layer.op = o.op;
  layer.place = layer.attributes.place = "requantize";
  layer.producer.fields["isa"] = isa;
  Quantization weight = stored(DType::int8, 1, 0);
  weight.scale = o.scale_weight;
  if (o.scale_weight.size() > 1) weight.axis = 0, weight.zero_point.assign(o.scale_weight.size(), 0.0);
  layer.inputs.emplace("x", Tensor::of_integers("x", dtype, x, stored(dtype, o.scale_in[0], 0), zeros(x)));
  layer.inputs.emplace("weight", Tensor::of_integers("weight", DType::int8, w, weight, zeros(w)));
  layer.outputs.emplace("y", Tensor::of_integers("y", dtype, y, stored(dtype, o.scale_out[0], o.zero_point[0]), zeros(y)));
  if (!o.bias.empty()) layer.inputs.emplace("bias", Tensor::of_floats("bias", {o.channels}, o.bias));
  if (!o.integer_bias.empty()) layer.inputs.emplace("bias", Tensor::of_integers("bias", DType::int32, {o.channels}, {}, o.integer_bias));
  return layer;
}

// The context of the made-up layer, with what a layer has once and this call may have by channel.
RequantizeContext context(const RequantizeOptions& o, const Layer& layer, const Cell& cell) {
  AccumulationInput in;
  in.x_scale = o.scale_in[0];
  RequantizeContext c = requantize_context(layer, cell, in, o.channels);
  if (o.scale_in.size() == 1 && o.scale_out.size() == 1 && o.zero_point.size() == 1) return c;
  c.channels.resize(static_cast<std::size_t>(o.channels), c.channels[0]);
  for (std::size_t i = 0; i < c.channels.size(); ++i) {
    Names& n = c.channels[i];
    const double si = o.scale_in[o.scale_in.size() > 1 ? i : 0];
    n["si"] = si;
    n["so"] = o.scale_out[o.scale_out.size() > 1 ? i : 0];
    n["zo"] = static_cast<double>(o.zero_point[o.zero_point.size() > 1 ? i : 0]);
    if (!o.integer_bias.empty()) n["sb"] = si * n.at("sw");
  }
  return c;
}

// Runtimes keep a bias in real units and scale it on the way, or as integers of the accumulator. One is not silently made the other.
void check_bias(const RequantizeOptions& o, const Cell& cell, const std::string& profile) {
  for (const std::string& stage : cell.stages) {
    const bool integers = stage == "bias bias" || stage == "bias64 bias" || stage.find("sb") != std::string::npos;
    if (stage.find("bias") == std::string::npos) continue;
    if (integers && !o.bias.empty()) throw Error("bias", "found real numbers, expected integers of the accumulator (scale input x weight) as " + profile + " adds them");
    if (!integers && !o.integer_bias.empty()) throw Error("bias", "found integers, expected real numbers: " + profile + " adds a float32 bias");
    return;
  }
  if (!o.bias.empty() || !o.integer_bias.empty()) throw Error("bias", "found one, expected none: " + profile + " adds none here");
}

}  // namespace

void requantize(const RequantizeOptions& o, std::span<const std::int64_t> acc, std::span<std::int64_t> out) {
  ensure(acc.size() == out.size(), "as many results as accumulators");
  const DType dtype = output_type(o);
  check(o, dtype);
  const ChosenProfile chosen = named_profile(o.profile);
  const std::string isa = !chosen.isa.empty() || chosen.profile->isas.empty() ? chosen.isa : chosen.profile->isas[0];
  Layer layer = made_up(o, dtype, isa);
  const Operator* op = find_operator(o.op);
  set_producer(layer, op, layer.producer);
  const Cell* cell = cell_for(*chosen.profile, *op, layer);
  if (!cell || cell->stages.empty()) throw Error("profile " + chosen.label, "has no requantization of " + o.op + " to " + o.dtype + ", expected one that has");
  check_bias(o, *cell, chosen.label);
  const bool wide = cell->get("accumulator", "int32") != "int32";
  const Requantizer requantizer(cell->stages, context(o, layer, *cell), "requantize");
  for (std::size_t i = 0; i < acc.size(); ++i) {
    if (!wide && (acc[i] < INT32_MIN || acc[i] > INT32_MAX)) throw Error("acc[" + std::to_string(i) + "]", "found " + std::to_string(acc[i]) + ", expected an int32");
    Events events = 0;
    out[i] = requantizer(acc[i], static_cast<std::int64_t>(i) / o.inner % o.channels, events);
  }
}

}  // namespace lastbit
