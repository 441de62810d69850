// cause_layers.hpp: the layers whose causes are timed, as a dump of the runtime holds them, and the faults that are planted into each.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "bench/layers.hpp"
#include "lib/layer/operator.hpp"
#include "lib/num/round.hpp"
#include "lib/profile/registry.hpp"

namespace lastbit::bench {

/// A fault by what makes its output: another cell's arithmetic, or other values afterwards.
struct PlantedFault {
  std::string name;                                 // that the report must name first, or in the first's group; empty: none
  std::function<void(Cell&)> cell = [](Cell&) {};
  std::function<void(std::vector<std::int32_t>&)> values = [](std::vector<std::int32_t>&) {};
};

struct CausesLayer {
  std::string name, profile;
  Layer layer;                                      // its output's values are not there yet
};

inline Quantization per_tensor(double scale, double zero_point, DType type) {
  Quantization q;
  q.scale = {static_cast<float>(scale)}, q.zero_point = {zero_point}, q.qmin = info(type).min, q.qmax = info(type).max;
  return q;
}

/// Integers over a type's whole range, or over its middle alone, by splitmix64.
inline Tensor random_integers(const std::string& name, DType type, const Shape& shape, const Quantization& q, std::uint64_t seed) {
  std::vector<std::int32_t> v(static_cast<std::size_t>(count(shape)));
  std::uint64_t state = seed;
  for (auto& i : v) {
    std::uint64_t z = state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    i = static_cast<std::int32_t>(q.qmin + static_cast<std::int64_t>(z % static_cast<std::uint64_t>(q.qmax - q.qmin + 1)));
  }
  return Tensor::of_integers(name, type, shape, q, v);
}

inline Tensor empty_output(DType type, const Shape& shape, const Quantization& q) {
  return Tensor::of_integers("y", type, shape, q, std::vector<std::int32_t>(static_cast<std::size_t>(count(shape))));
}

inline Producer producer_of(const std::string& profile) {
  if (profile == "onnxruntime") return {{{"framework", "onnxruntime"}, {"version", "1.31.1"}, {"isa", "avx512_vnni"}}};
  if (profile == "tflite-reference") return {{{"framework", "litert"}, {"version", "2.3.0"}, {"engine", "ref"}, {"isa", "avx512_vnni"}}};
  return {{{"framework", "pytorch"}, {"version", "2.13.0"}, {"engine", profile.substr(profile.find('-') + 1)}, {"isa", "avx512_vnni"}}};
}

/// How a runtime stores an accumulating layer.
struct Storage {
  DType x, w, bias;
  std::int64_t x_zero_point, y_zero_point;
  bool relu;                                        // float biases and a relu, as PyTorch fuses them
};
inline Storage storage_of(const std::string& profile, bool wide) {
  if (wide) return {DType::int16, DType::int8, DType::int32, 0, 0, false};
  if (profile == "tflite-reference") return {DType::int8, DType::int8, DType::int32, 11, -8, false};
  if (profile == "onnxruntime") return {DType::uint8, DType::int8, DType::int32, 117, 120, false};
  return {DType::uint8, DType::int8, DType::float32, 117, 120, true};
}

/// A convolution (also transposed: each channel's weights one scale) or linear layer of this shape, its weight scaled per channel.
inline CausesLayer accumulating_layer(std::string name, const std::string& profile, const Geometry& g, std::uint64_t seed, bool wide = false) {
  const Storage as = storage_of(profile, wide);
  const std::int64_t O = g.groups * g.out_channels, I = g.groups * g.in_channels, k = g.kernel[2];
  const bool linear = g.positions() == 1 && g.taps() == 1 && g.in[2] == 1;
  Layer l;
  l.op = linear ? "linear" : g.transposed ? "conv_transpose2d" : "conv2d";
  const Shape xs = linear ? Shape{g.batch, I} : Shape{g.batch, I, g.in[1], g.in[2]}, ys = linear ? Shape{g.batch, O} : Shape{g.batch, O, g.out[1], g.out[2]};
  const Shape ws = linear ? Shape{O, I} : g.transposed ? Shape{I, g.out_channels, k, k} : Shape{O, g.in_channels, k, k};
  Quantization qw = per_tensor(0.0045, 0, as.w);
  if (profile == "tflite-reference") qw.qmin = -127;
  if (!g.transposed) {
    qw.axis = 0, qw.scale.clear(), qw.zero_point.assign(static_cast<std::size_t>(O), 0);
    for (std::int64_t o = 0; o < O; ++o) qw.scale.push_back(static_cast<float>(0.004 + 0.00001 * static_cast<double>(o % 97)));
  }
  l.inputs.emplace("x", random_integers("x", as.x, xs, per_tensor(wide ? 0.00015 : 0.02, static_cast<double>(as.x_zero_point), as.x), seed));
  l.inputs.emplace("weight", random_integers("w", as.w, ws, qw, seed + 100));
  if (is_float(as.bias)) {
    std::vector<float> bias;
    for (std::int64_t o = 0; o < O; ++o) bias.push_back(static_cast<float>(o % 31) * 0.1f - 1.0f);
    l.inputs.emplace("bias", Tensor::of_floats("b", {O}, bias));
  } else {
    std::vector<std::int32_t> bias;
    Quantization qb;
    qb.qmin = info(as.bias).min, qb.qmax = info(as.bias).max, qb.axis = qw.axis, qb.zero_point.assign(qw.scale.size(), 0);
    for (const double s : qw.scale) qb.scale.push_back(s * l.inputs.at("x").q.scale[0]);
    for (std::int64_t o = 0; o < O; ++o) bias.push_back(static_cast<std::int32_t>(o % 31 * 1001 - 15000));
    l.inputs.emplace("bias", Tensor::of_integers("b", as.bias, {O}, qb, bias));
  }
  const double terms = static_cast<double>(g.terms()) / (g.transposed ? static_cast<double>(g.stride[1] * g.stride[2]) : 1.0);
  const double so = 0.02 * 0.0045 * 100 * std::max(1.0, terms * 0.6) / 12;
  l.outputs.emplace("y", empty_output(as.x, ys, per_tensor(wide ? so / 256 : so, static_cast<double>(as.y_zero_point), as.x)));
  if (as.relu) l.attributes.values["activation"] = std::string("relu");
  if (!linear) {
    l.attributes.values["groups"] = g.groups;
    l.attributes.values["padding"] = std::vector<std::int64_t>{g.begin[1], g.begin[2]};
    l.attributes.values["stride"] = std::vector<std::int64_t>{g.stride[1], g.stride[2]};
  }
  return {std::move(name), profile, std::move(l)};
}

/// Any other operator on one or two inputs of one type.
inline CausesLayer plain_layer(std::string name, const std::string& profile, const std::string& op, const std::vector<std::pair<std::string, Shape>>& inputs, const Shape& ys, double so,
                               std::map<std::string, Attribute> attributes = {}) {
  const DType type = profile == "tflite-reference" ? DType::int8 : DType::uint8;
  const double zero = type == DType::int8 ? -8 : 120;
  Layer l;
  l.op = op;
  double scale = 0.02;
  std::uint64_t seed = 7;
  for (const auto& [port, shape] : inputs) {
    l.inputs.emplace(port, random_integers(port, type, shape, per_tensor(scale, zero - 3, type), seed));
    scale *= 1.375, seed += 100;
  }
  l.outputs.emplace("y", empty_output(type, ys, per_tensor(so, zero, type)));
  l.attributes.values = std::move(attributes);
  return {std::move(name), profile, std::move(l)};
}

inline Geometry conv_transpose(std::int64_t channels, std::int64_t out, std::int64_t size, std::int64_t kernel, std::int64_t stride) {
  Geometry g = conv(channels, out, size, kernel, 1);
  g.transposed = true;
  g.begin = {0, 0, 0};
  for (const std::size_t a : {1, 2}) g.stride[a] = stride, g.out[a] = (size - 1) * stride + kernel;
  return g;
}

inline std::vector<CausesLayer> causes_layers() {
  std::vector<CausesLayer> all;
  std::uint64_t seed = 1;
  for (const auto& l : timed_layers()) all.push_back(accumulating_layer(l.name, "pytorch-fbgemm", l.g, seed++));
  for (const std::string profile : {"onnxruntime", "tflite-reference", "pytorch-onednn"}) {
    all.push_back(accumulating_layer("conv 3x3 28x28x64", profile, conv(64, 64, 28, 3, 1), seed++));
    all.push_back(accumulating_layer("depthwise 3x3 56x56x64", profile, conv(64, 64, 56, 3, 64), seed++));
    all.push_back(accumulating_layer("linear 1x2048x1000", profile, matmul(1, 2048, 1000), seed++));
  }
  all.push_back(accumulating_layer("conv_transpose 2x2 28x28x64", "pytorch-fbgemm", conv_transpose(64, 32, 28, 2, 2), seed++));
  all.push_back(accumulating_layer("conv 3x3 28x28x64, int16x8", "tflite-reference", conv(64, 64, 28, 3, 1), seed++, true));
  all.push_back(plain_layer("matmul 8x128x64x128", "onnxruntime", "matmul", {{"a", {8, 128, 64}}, {"b", {8, 64, 128}}}, {8, 128, 128}, 0.3));
  const Shape image{1, 64, 56, 56};
  for (const std::string profile : {"pytorch-fbgemm", "onnxruntime", "tflite-reference"}) {
    all.push_back(plain_layer("add 56x56x64", profile, "add", {{"a", image}, {"b", image}}, image, 0.05));
    all.push_back(plain_layer("mul 56x56x64", profile, "mul", {{"a", image}, {"b", image}}, image, 0.05));
    all.push_back(plain_layer("avg_pool 3x3 56x56x64", profile, "avg_pool2d", {{"x", image}}, {1, 64, 28, 28}, 0.02,
                              {{"kernel_size", std::vector<std::int64_t>{3, 3}}, {"stride", std::vector<std::int64_t>{2, 2}}, {"padding", std::vector<std::int64_t>{1, 1}}}));
    all.push_back(plain_layer("softmax 128x1000", profile, "softmax", {{"x", {128, 1000}}}, {128, 1000}, 1.0 / 256));
    all.push_back(plain_layer("sigmoid 56x56x64", profile, "sigmoid", {{"x", image}}, image, 1.0 / 256));
  }
  return all;
}

/// Those of a layer. `output`: what a cell computes of it.
inline std::vector<PlantedFault> planted_faults(const Layer& layer, const Cell& own, const std::vector<std::int32_t>& clean, const std::function<std::vector<std::int32_t>(const Cell&)>& output) {
  const auto stages = [](auto edit) {
    return [edit](Cell& c) { for (auto& s : c.stages) edit(s); };
  };
  const auto held = [](int bits) { return [bits](Cell& c) { c.stages.insert(c.stages.begin(), "register " + std::to_string(bits) + "-saturate"); }; };
  const auto most = static_cast<std::int32_t>(info(layer.out().dtype).max);
  std::vector<PlantedFault> all;
  all.push_back({"zero-point:stale", [](Cell&) {}, [most](auto& y) { for (auto& v : y) v = std::min(v + 7, most); }});
  if (layer.find("weight") || layer.op == "matmul") {
    const bool fixed = std::any_of(own.stages.begin(), own.stages.end(), [](const std::string& s) { return s.rfind("fixed ", 0) == 0; });
    if (fixed) all.push_back({"multiplier:f64", stages([](std::string& s) { if (s.rfind("fixed double_away ", 0) == 0) s.replace(0, 17, "fixed single"); })});  // one rounding
    else all.push_back({"round:floor", stages([](std::string& s) { if (s.rfind("round ", 0) == 0) s = "round floor exact"; })});
    int bits = layer.in(layer.find("x") ? "x" : "a").dtype == DType::int16 ? 26 : 18;  // the widest register, from here on, that some sum does not fit
    for (Cell c = own; bits > 8; --bits, c = own) {
      held(bits)(c);
      if (output(c) != clean) break;
    }
    all.push_back({"accumulator:" + std::to_string(bits) + "-saturate", held(bits)});
    if (const bool paired = own.get("pairs", "none") != "none"; paired || (layer.find("weight") && layer.in("x").dtype == DType::uint8))
      all.push_back({paired ? "pairs:none" : "pairs:int16", [paired](Cell& c) { c.with["pairs"] = paired ? "none" : "int16"; }});
  } else if (const Operator& op = *find_operator(layer.op); op.real) {
    all.push_back({"round:floor", [](Cell&) {}, [&layer, &op](auto& y) {
      const Real real = op.real(layer, {});
      const Quantization& q = layer.out().q;
      for (std::size_t i = 0; i < y.size(); ++i)
        y[i] = static_cast<std::int32_t>(std::clamp(to_integer(real.f64[i] / q.scale_of(0), Rounding::floor).value + q.integer_zero_point(), q.qmin, q.qmax));
    }});
  }
  const std::int32_t bit = most > 255 ? 64 : 1;  // beyond what a float32 sum leaves open
  all.push_back({"", [](Cell&) {}, [bit](auto& y) { for (std::size_t i = 0; i < y.size(); i += 97) y[i] ^= bit; }});
  return all;
}

}  // namespace lastbit::bench
