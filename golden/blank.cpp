// blank.cpp: see blank.hpp. Small shapes, chosen so that every rule has something to show on: more than one channel, padding,
// a vector's tail.
#include "golden/blank.hpp"

#include <algorithm>

#include "lib/error.hpp"
#include "lib/rules/accumulation.hpp"
#include "lib/rules/pointwise.hpp"
#include "lib/rules/shapes.hpp"

namespace lastbit {
namespace {

using Role = BlankPort::Role;
using Ints = std::vector<std::int64_t>;

bool starts(const std::string& s, const char* with) { return s.rfind(with, 0) == 0; }
int axes_of(const std::string& op) {
  for (const int d : {1, 2, 3})
    if (op.find(std::to_string(d) + "d") != std::string::npos) return d;
  return 0;
}
bool one_of(const std::string& op, std::initializer_list<const char*> all) { return std::any_of(all.begin(), all.end(), [&](const char* n) { return op == n; }); }

}  // namespace

std::string first_port(const Operator& op) {
  const std::string& name = op.inputs.front().name;
  if (op.name == "embedding" || op.name == "embedding_bag") return "indices";
  return name.back() == '*' ? name.substr(0, name.size() - 1) + "0" : name;
}

const Habit& habit_of(const std::string& profile) {
  static const Habit all[] = {
      {"pytorch", DType::uint8, DType::int8, DType::float32},
      {"pt2e", DType::int8, DType::int8, DType::float32},
      {"onnxruntime", DType::uint8, DType::int8, DType::int32},
      {"tensorrt", DType::int8, DType::int8, DType::float32, true},
      {"vitis-dpu", DType::int8, DType::int8, DType::int32, true},
      {"gemmlowp", DType::uint8, DType::uint8, DType::int32},
      {"", DType::int8, DType::int8, DType::int32},
  };
  return *std::find_if(std::begin(all), std::end(all), [&](const Habit& h) { return starts(profile, h.profiles); });
}

Blank blank_of(const std::string& op, std::int64_t n, const std::map<std::string, Shape>& asked, const std::map<std::string, Attribute>& attributes) {
  Blank b;
  b.attributes = attributes;
  const auto given = [&](const char* port) { return asked.count(port) > 0; };
  const auto shape = [&](const char* port, Shape otherwise, bool samples = false) {
    Shape s = given(port) ? asked.at(port) : std::move(otherwise);
    if (samples && !s.empty()) s[0] = n;
    return s;
  };
  const auto set = [&](const char* key, Attribute value) { b.attributes.emplace(key, std::move(value)); };
  const auto integer = [&](const char* key, std::int64_t otherwise) {
    const auto it = b.attributes.find(key);
    if (it == b.attributes.end()) return otherwise;
    const auto* v = std::get_if<std::int64_t>(&it->second);
    if (!v || *v < 1) throw Error("--set " + std::string(key), "found another kind of value, expected an integer of at least 1");
    return *v;
  };
  const auto add = [&](const char* port, Role role, Shape s) { b.ports.push_back({port, role, std::move(s)}); };
  const auto repeat = [](std::int64_t v, int times) { return Shape(static_cast<std::size_t>(times), v); };
  const auto join = [](Shape a, const Shape& c) {
    a.insert(a.end(), c.begin(), c.end());
    return a;
  };
  const int d = axes_of(op);
  if (starts(op, "conv") && d) {
    const bool transposed = op.find("transpose") != std::string::npos;
    const std::int64_t groups = integer("groups", 1);
    const Shape spatial = repeat(d == 1 ? 6 : d == 2 ? 4 : 3, d), kernel = repeat(d == 3 ? 2 : 3, d);
    // Channels follow whichever shape was given: depthwise when there are as many groups as channels.
    std::int64_t channels = given("x") && asked.at("x").size() > 1 ? asked.at("x")[1] : given("weight") ? asked.at("weight")[transposed ? 0 : 1] * (transposed ? 1 : groups) : groups > 1 ? groups : 4;
    if (channels % groups) throw Error("--shape", "found " + std::to_string(channels) + " channels in " + std::to_string(groups) + " groups, expected a multiple");
    const std::int64_t out = channels == groups && groups > 1 ? 1 : std::max<std::int64_t>(1, 4 / groups);
    const Shape w = transposed ? join({channels, out}, kernel) : join({out * groups, channels / groups}, kernel);
    const Shape x = shape("x", join({n, channels}, spatial), true);
    if (static_cast<int>(x.size()) != d + 2) throw Error("--shape", "found the shape " + to_string(x) + ", expected [N, C" + std::string(d == 1 ? ", W]" : d == 2 ? ", H, W]" : ", D, H, W]"));
    const Shape weight = shape("weight", w);
    add("x", op.find("_dynamic") != std::string::npos ? Role::value : Role::activation, x);
    add("weight", Role::weight, weight);
    const std::int64_t o = weight.size() < 2 ? 0 : transposed ? weight[1] * groups : weight[0];
    add("bias", Role::bias, shape("bias", {o}));
    set("stride", Ints(static_cast<std::size_t>(d), 1));
    set("padding", Ints(static_cast<std::size_t>(d), 1));
    set("dilation", Ints(static_cast<std::size_t>(d), 1));
    set("groups", groups);
  } else if (starts(op, "linear")) {
    const std::int64_t terms = given("x") ? asked.at("x").back() : given("weight") ? asked.at("weight").back() : 16;
    Shape x = shape("x", {n, terms}, true);
    const Shape weight = shape("weight", {5, terms});
    add("x", op == "linear" ? Role::activation : Role::value, x);
    add("weight", Role::weight, weight);
    add("bias", Role::bias, shape("bias", {weight[0]}));
  } else if (op == "matmul") {
    const std::int64_t terms = given("a") ? asked.at("a").back() : given("b") && asked.at("b").size() > 1 ? asked.at("b")[asked.at("b").size() - 2] : 16;
    add("a", Role::activation, shape("a", {n, terms}, true));
    add("b", Role::activation, shape("b", {terms, 5}));
  } else if (one_of(op, {"add", "sub", "mul"})) {
    const Shape a = shape("a", given("b") ? asked.at("b") : Shape{n, 10}, true);
    Shape other = given("b") ? asked.at("b") : a;
    if (other.size() == a.size() && !other.empty() && other[0] != 1) other[0] = a[0];
    add("a", Role::activation, a);
    add("b", Role::activation, other);
  } else if (one_of(op, {"add_scalar", "mul_scalar"})) {
    add("a", Role::activation, shape("a", {n, 10}, true));
    set("other", op == "add_scalar" ? 3.25 : -1.5);
  } else if (op == "cat") {
    const Shape first = shape("x0", {n, 5}, true);
    add("x0", Role::activation, first);
    Shape second = shape("x1", first);
    add("x1", Role::activation, second);
    set("dim", std::int64_t{1});
  } else if (op == "prelu") {
    const Shape x = shape("x", {n, 4, 3}, true);
    add("x", Role::activation, x);
    add("weight", Role::weight, shape("weight", {x.size() > 1 ? x[1] : 1}));
  } else if (op == "softmax") {
    add("x", Role::activation, shape("x", {n, 10}, true));
    set("dim", std::int64_t{1});
  } else if (op == "batch_norm" || op == "group_norm" || op == "instance_norm" || op == "layer_norm") {
    const Shape x = shape("x", op == "layer_norm" ? Shape{n, 36} : Shape{n, 4, 6}, true);
    if (x.size() < 2) throw Error("--shape", "found the shape " + to_string(x) + ", expected [N, C, ...]");
    const std::int64_t c = op == "layer_norm" ? x.back() : x[1];
    add("x", Role::activation, x);
    add("weight", Role::positive, {c});
    add("bias", Role::value, {c});
    if (op == "batch_norm") add("running_mean", Role::value, {c}), add("running_var", Role::positive, {c});
    if (op == "layer_norm") set("normalized_shape", Ints{c});
    if (op == "group_norm") set("num_groups", std::int64_t{x[1] % 2 ? 1 : 2});
    set("eps", 1e-5);
  } else if (d && (starts(op, "max_pool") || starts(op, "avg_pool") || starts(op, "adaptive_avg_pool") || starts(op, "upsample"))) {
    const Shape x = shape("x", join({n, 3}, repeat(d == 3 ? 3 : 5, d)), true);
    if (static_cast<int>(x.size()) < d + 1) throw Error("--shape", "found the shape " + to_string(x) + ", expected [N, C, " + std::to_string(d) + " spatial axes]");
    add("x", Role::activation, x);
    if (starts(op, "adaptive")) set("output_size", Ints(static_cast<std::size_t>(d), 2));
    else if (starts(op, "upsample")) {
      Ints size;
      for (int i = 0; i < d; ++i) size.push_back(x[x.size() - static_cast<std::size_t>(d - i)] * 2);
      set("output_size", size);
      if (op == "upsample_bilinear2d") set("align_corners", false);
    } else {
      set("kernel_size", Ints(static_cast<std::size_t>(d), 2));
      set("stride", Ints(static_cast<std::size_t>(d), 2));
      set("padding", Ints(static_cast<std::size_t>(d), 0));
      if (starts(op, "max_pool")) set("dilation", Ints(static_cast<std::size_t>(d), 1));
      set("ceil_mode", false);
      if (starts(op, "avg_pool")) set("count_include_pad", true);
    }
  } else if (one_of(op, {"mean", "sum", "std"})) {
    add("x", Role::activation, shape("x", {n, 3, 2, 3}, true));
    const auto rank = static_cast<std::int64_t>(b.ports[0].shape.size());
    set("dim", rank > 2 ? Ints{rank - 2, rank - 1} : Ints{rank - 1});
    set("keepdim", true);
    if (op == "std") set("correction", std::int64_t{1});
  } else if (op == "embedding" || op == "embedding_bag") {
    add("weight", Role::weight, shape("weight", {8, 10}));
    add("indices", Role::index, shape("indices", {n}, true));
    if (op == "embedding_bag") {
      add("offsets", Role::offset, shape("offsets", {std::max<std::int64_t>(1, n / 4)}));
      set("mode", std::string("sum"));
    }
  } else if (op == "lstm_dynamic" || op == "gru_dynamic") {
    const std::int64_t gates = op == "lstm_dynamic" ? 4 : 3, h = 4, in = 5, batch = 2;
    add("x", Role::value, shape("x", {n, batch, in}, true));
    add("h", Role::value, {1, batch, h});
    if (gates == 4) add("c", Role::value, {1, batch, h});
    add("weight_ih", Role::weight, {gates * h, b.ports[0].shape.back()});
    add("weight_hh", Role::weight, {gates * h, h});
    add("bias_ih", Role::value, {gates * h});
    add("bias_hh", Role::value, {gates * h});
  } else if (op == "lstm_gates" || op == "gru_gates") {
    const std::int64_t gates = op == "lstm_gates" ? 4 : 3, h = 4;
    add("ih", Role::value, {n, gates * h});
    add("hh", Role::value, {n, gates * h});
    add(gates == 4 ? "c" : "h", Role::value, {n, h});
  } else if (one_of(op, {"quantize", "quantize_dynamic", "quantize_rowwise"})) {
    add("x", Role::value, shape("x", {n, 10}, true));
    if (op == "quantize_rowwise") set("bits", std::int64_t{8});
  } else if (op == "requantize") {
    add("x", Role::activation, shape("x", {n}, true));
  } else if (op == "pad") {
    add("x", Role::activation, shape("x", {n, 3, 4}, true));
    set("pad", Ints{1, 2});
    set("mode", std::string("constant"));
    set("value", 0.0);
  } else if (one_of(op, {"dequantize", "relu", "relu6", "hardswish", "hardsigmoid", "sigmoid", "tanh", "gelu", "clamp", "hardtanh", "leaky_relu", "elu", "celu", "threshold",
                         "reshape", "flatten", "permute", "transpose", "slice", "flip", "pixel_shuffle", "channel_shuffle"})) {
    const bool image = op == "pixel_shuffle" || op == "channel_shuffle";
    const Shape x = shape("x", image ? Shape{n, 8, 2, 3} : one_of(op, {"reshape", "flatten", "permute", "transpose", "slice", "flip"}) ? Shape{n, 3, 4} : Shape{n, 10}, true);
    add("x", Role::activation, x);
    if (op == "clamp") set("min", -1.25), set("max", 2.5);
    if (op == "hardtanh") set("min_val", -1.0), set("max_val", 1.0);
    if (op == "leaky_relu") set("negative_slope", 0.1);
    if (op == "elu" || op == "celu") set("alpha", 1.0);
    if (op == "elu") set("scale", 1.0), set("input_scale", 1.0);
    if (op == "gelu") set("approximate", std::string("none"));
    if (op == "threshold") set("threshold", 0.5), set("value", -0.25);
    if (op == "reshape") set("shape", Ints{count(x)});
    if (op == "flatten") set("start_dim", std::int64_t{1}), set("end_dim", std::int64_t{-1});
    if (op == "permute") {
      Ints dims;
      for (std::size_t i = x.size(); i-- > 0;) dims.push_back(static_cast<std::int64_t>(i));
      set("dims", dims);
    }
    if (op == "transpose") set("dim0", std::int64_t{0}), set("dim1", std::int64_t{-1});
    if (op == "slice") set("dim", std::int64_t{-1}), set("start", std::int64_t{1}), set("end", x.back()), set("step", std::int64_t{2});
    if (op == "flip") set("dims", Ints{1, 2});
    if (op == "pixel_shuffle") set("upscale_factor", std::int64_t{2});
    if (op == "channel_shuffle") set("groups", std::int64_t{2});
  } else {
    throw Error("--op", "found \"" + op + "\", for which no layer is known to make; --like DUMP:LAYER takes one that exists");
  }
  if (op == "conv2d_add") add("a", Role::activation, {});  // like y
  for (const auto& [port, s] : asked)
    if (std::none_of(b.ports.begin(), b.ports.end(), [&, port = port](const BlankPort& p) { return p.port == port; })) throw Error("--shape", "found a shape for \"" + port + "\", expected one for a tensor that " + op + " has here");
  return b;
}

Shape output_shape(const Layer& l) {
  const std::string& op = l.op;
  const int d = axes_of(op);
  const Attributes& a = l.attributes;
  if (starts(op, "conv") && d) return conv_output_shape(conv_geometry(l, d, op.find("transpose") != std::string::npos), d);
  if (starts(op, "linear")) {
    Shape s = l.in("x").shape;
    s.back() = l.in("weight").dim(0);
    return s;
  }
  if (op == "matmul") {
    const Shape &x = l.in("a").shape, &y = l.in("b").shape;
    if (x.size() < 2 || y.size() < 2) throw Error("--shape", "found an operand with fewer than 2 axes, expected [..., M, K] and [..., K, N]");
    Shape s = broadcast_shape(l, Shape(x.begin(), x.end() - 2), Shape(y.begin(), y.end() - 2));
    s.push_back(x[x.size() - 2]);
    s.push_back(y[y.size() - (a.boolean("transpose_b", false) ? 2 : 1)]);
    return s;
  }
  if (one_of(op, {"add", "sub", "mul"})) return broadcast_shape(l, l.in("a").shape, l.in("b").shape);
  if (one_of(op, {"add_scalar", "mul_scalar"})) return l.in("a").shape;
  if (op == "cat") {
    Shape s = l.in("x0").shape;
    const auto dim = static_cast<std::size_t>(axis_of(l, "dim", a.integer("dim", 0), l.in("x0").rank()));
    s[dim] += l.in("x1").shape.size() > dim ? l.in("x1").shape[dim] : 0;
    return s;
  }
  if (op == "embedding") {
    Shape s = l.in("indices").shape;
    s.push_back(l.in("weight").dim(1));
    return s;
  }
  if (op == "embedding_bag") return {l.find("offsets") ? l.in("offsets").dim(0) - (a.boolean("include_last_offset", false) ? 1 : 0) : l.in("indices").dim(0), l.in("weight").dim(1)};
  if (one_of(op, {"mean", "sum", "std"})) return reduction_shape(l);
  Shape s = l.in("x").shape;
  if (starts(op, "adaptive") || starts(op, "upsample")) {
    const auto size = a.integers("output_size", static_cast<std::size_t>(d));
    for (int i = 0; i < d; ++i) s[s.size() - static_cast<std::size_t>(d - i)] = size[static_cast<std::size_t>(i)];
  } else if (d && (starts(op, "max_pool") || starts(op, "avg_pool"))) {
    const auto n = static_cast<std::size_t>(d);
    const auto kernel = a.integers("kernel_size", n);
    const auto stride = a.has("stride") ? a.integers("stride", n) : kernel;
    const auto dilation = a.integers("dilation", n, 1);
    Ints padding = a.has("padding") ? a.list("padding") : Ints{0};
    if (padding.size() == 1) padding.assign(n, padding[0]);
    if (padding.size() == n) padding.insert(padding.end(), padding.begin(), padding.begin() + d);
    for (std::size_t i = 0; i < n; ++i) {
      const std::size_t axis = s.size() - n + i;
      const std::int64_t room = s[axis] + padding.at(i) + padding.at(n + i) - dilation[i] * (kernel[i] - 1) - 1, step = std::max<std::int64_t>(1, stride[i]);
      if (room < 0) throw Error("--shape", "found a window that does not fit " + to_string(s) + ", expected a smaller one");
      std::int64_t out = room / step + 1;
      if (a.boolean("ceil_mode", false)) {
        out = (room + step - 1) / step + 1;
        if ((out - 1) * step >= s[axis] + padding.at(i)) --out;  // the last window starts inside the input or its padding
      }
      s[axis] = out;
    }
  } else if (op == "reshape") {
    s = a.list("shape");
    for (auto& e : s)
      if (e == -1) {
        e = 1;
        e = l.in("x").size() / std::max<std::int64_t>(1, count(s));
      }
  } else if (op == "flatten") {
    const std::int64_t from = axis_of(l, "start_dim", a.integer("start_dim", 0), l.in("x").rank()), to = axis_of(l, "end_dim", a.integer("end_dim", -1), l.in("x").rank());
    Shape flat(s.begin(), s.begin() + from);
    std::int64_t all = 1;
    for (auto i = from; i <= to; ++i) all *= s[static_cast<std::size_t>(i)];
    flat.push_back(all);
    flat.insert(flat.end(), s.begin() + to + 1, s.end());
    s = flat;
  } else if (op == "permute") {
    const auto dims = a.list("dims");
    Shape moved;
    for (const auto i : dims) moved.push_back(s[static_cast<std::size_t>(axis_of(l, "dims", i, l.in("x").rank()))]);
    s = moved;
  } else if (op == "transpose") {
    std::swap(s[static_cast<std::size_t>(axis_of(l, "dim0", a.integer("dim0"), l.in("x").rank()))], s[static_cast<std::size_t>(axis_of(l, "dim1", a.integer("dim1"), l.in("x").rank()))]);
  } else if (op == "slice") {
    const auto dim = static_cast<std::size_t>(axis_of(l, "dim", a.integer("dim", 0), l.in("x").rank()));
    const std::int64_t extent = s[dim], step = std::max<std::int64_t>(1, a.integer("step", 1));
    const auto bound = [&](std::int64_t v) { return std::clamp<std::int64_t>(v < 0 ? v + extent : v, 0, extent); };
    const std::int64_t from = bound(a.integer("start", 0)), to = bound(a.integer("end", extent));
    s[dim] = std::max<std::int64_t>(0, (to - from + step - 1) / step);
  } else if (op == "pixel_shuffle") {
    const std::int64_t r = a.integer("upscale_factor");
    if (s.size() < 3 || r < 1) throw Error("--shape", "found " + to_string(s) + ", expected [N, C r r, H, W]");
    s[s.size() - 3] /= r * r, s[s.size() - 2] *= r, s[s.size() - 1] *= r;
  } else if (op == "pad") {
    const auto pad = a.list("pad");
    for (std::size_t i = 0; i + 1 < pad.size() && i / 2 < s.size(); i += 2) s[s.size() - 1 - i / 2] += pad[i] + pad[i + 1];
  }
  return s;
}

OutputKind output_kind(const std::string& op) {
  if (one_of(op, {"sigmoid", "hardsigmoid", "softmax"})) return OutputKind::unit;
  if (op == "tanh") return OutputKind::symmetric_unit;
  if (one_of(op, {"dequantize", "embedding", "embedding_bag"}) || op.find("linear_") == 0 || (op.find("_dynamic") != std::string::npos && op != "quantize_dynamic" && op != "lstm_dynamic" && op != "gru_dynamic")) return OutputKind::floats;
  if (one_of(op, {"add_scalar", "mul_scalar", "quantize_dynamic", "quantize_rowwise"})) return OutputKind::chosen;
  if (one_of(op, {"lstm_dynamic", "gru_dynamic", "lstm_gates", "gru_gates"})) return OutputKind::states;
  if (starts(op, "conv") || one_of(op, {"linear", "matmul", "add", "sub", "mul", "cat", "requantize", "quantize", "sum", "std", "batch_norm", "layer_norm", "group_norm", "instance_norm", "hardswish", "gelu", "elu", "celu", "leaky_relu", "prelu", "threshold", "cat"}))
    return OutputKind::scaled;
  return OutputKind::kept;
}

}  // namespace lastbit
