// workshop.cpp: the request read, and what all blank layers share. See workshop.hpp; shapes by operator are in blank.cpp.
#include "golden/workshop.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "golden/blank.hpp"
#include "lib/error.hpp"
#include "verifier/evaluate.hpp"
#include "verifier/output.hpp"

namespace lastbit {
namespace {

/// "8x16", "8,16", "[8, 16]"
Shape parse_shape(const std::string& text, const std::string& place) {
  Shape shape;
  std::string digits;
  const auto take = [&] {
    std::int64_t v = 0;
    const auto r = std::from_chars(digits.data(), digits.data() + digits.size(), v);
    if (digits.empty() || r.ec != std::errc() || r.ptr != digits.data() + digits.size() || v < 1 || v > 65536) throw Error(place, "found \"" + text + "\", expected extents of 1 to 65536, as in 8x16 or weight=4x16");
    shape.push_back(v);
    digits.clear();
  };
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ' ' || c == '(' || c == ')') continue;
    if (c == 'x' || c == ',' || c == '*') take();
    else digits += c;
  }
  take();
  std::int64_t all = 1;
  for (const auto d : shape)
    if ((all *= d) > (std::int64_t{1} << 24)) throw Error(place, "found " + text + ", expected at most 2^24 elements");
  return shape;
}

std::pair<std::string, std::string> cut(const std::string& text) {
  const auto at = text.find('=');
  return at == std::string::npos ? std::pair(std::string(), text) : std::pair(text.substr(0, at), text.substr(at + 1));
}

template <class T>
std::optional<T> number(const std::string& text) {
  T v{};
  const auto r = std::from_chars(text.data(), text.data() + text.size(), v);
  if (r.ec != std::errc() || r.ptr != text.data() + text.size()) return {};
  return v;
}

/// true, 2, 0.5, 1,1, "relu", 0:127 (an activation's min and max)
Attribute parse_attribute(const std::string& text) {
  if (text == "true") return true;
  if (text == "false") return false;
  if (const auto v = number<std::int64_t>(text)) return *v;
  if (const auto v = number<double>(text)) return *v;
  if (const auto colon = text.find(':'); colon != std::string::npos) {
    const auto lo = number<std::int64_t>(text.substr(0, colon)), hi = number<std::int64_t>(text.substr(colon + 1));
    if (lo && hi) return Clamp{*lo, *hi};
  }
  if (text.find(',') != std::string::npos) {
    std::vector<std::int64_t> whole;
    std::vector<double> real;
    std::size_t from = 0;
    while (from <= text.size()) {
      const auto to = std::min(text.find(',', from), text.size());
      const std::string part = text.substr(from, to - from);
      if (const auto v = number<std::int64_t>(part)) whole.push_back(*v);
      const auto d = number<double>(part);
      if (!d) return text;
      real.push_back(*d);
      from = to + 1;
    }
    if (whole.size() == real.size()) return whole;
    return real;
  }
  return text;
}

/// Profiles read from files, kept for the run.
const Profile& profile_in_file(const std::string& path) {
  static std::map<std::string, Profile> read;
  if (const auto it = read.find(path); it != read.end()) return it->second;
  return read.emplace(path, profile_from_json(read_file(path), path)).first->second;
}

}  // namespace

std::vector<std::string> VectorRequest::arguments() const {
  std::vector<std::string> all{"golden", "generate"};
  const auto add = [&](const char* option, const std::string& value) { all.push_back(option), all.push_back(value); };
  if (!op.empty()) add("--op", op);
  if (!like.empty()) add("--like", like);
  add("--profile", profile);
  add("--suite", suite);
  for (const auto& s : shapes) add("--shape", s);
  for (const auto& s : attributes) add("--set", s);
  for (const auto& s : dtypes) add("--dtype", s);
  for (const auto& s : producer) add("--producer", s);
  add("--seed", std::to_string(seed));
  if (count) add("--count", std::to_string(*count));
  return all;
}

std::int64_t Workshop::samples(std::int64_t otherwise) const {
  if (request.count) return *request.count;
  const auto first = shapes.find(first_port(*op));
  return first != shapes.end() && !first->second.empty() ? first->second[0] : otherwise;
}

Workshop open_workshop(const VectorRequest& request) {
  Workshop w;
  w.request = request;
  if (request.count && (*request.count < 1 || *request.count > (1 << 20))) throw Error("--count", "found " + std::to_string(*request.count) + ", expected 1 to 1048576");
  std::string from_like;
  if (!request.like.empty()) {
    const auto colon = request.like.rfind(':');
    if (colon == std::string::npos || colon == 0) throw Error("--like", "found \"" + request.like + "\", expected DUMP:LAYER");
    const Dump dump = Dump::open(request.like.substr(0, colon), request.profile.empty());
    const LayerEntry& entry = find_layer(dump, request.like.substr(colon + 1));
    const ChosenProfile chosen = choose_profile(dump, entry, request.profile);
    w.op = find_operator(entry.op);
    if (const auto why = obstacle(entry, chosen, w.op); !why.empty()) throw Error("--like " + request.like, "found a layer that has no golden vectors (" + why + "), expected one that can be checked");
    if (!request.op.empty() && request.op != entry.op) throw Error("--op", "found \"" + request.op + "\", expected \"" + entry.op + "\", which the layer of --like is");
    w.request.op = entry.op;
    w.profile = chosen.profile;
    w.isa = chosen.isa;
    w.like = bind_layer(dump, entry, chosen.isa);
    for (auto* ports : {&w.like->inputs, &w.like->outputs})
      for (auto& [port, t] : *ports) t.stored_axes.clear();  // written in NC... order
    w.producer = w.like->producer;
    if (w.isa.empty()) w.isa = w.producer.at("isa");
    if (w.request.profile.empty()) w.request.profile = profile_label(*w.profile, w.isa);
  } else {
    w.op = find_operator(request.op);
    if (!w.op) throw Error("--op", "found \"" + request.op + "\", expected an operator (lastbit list operators)");
    if (request.profile.empty()) throw Error("--profile", "found none, expected NAME or NAME@isa (lastbit list profiles)");
    if (request.profile.size() > 5 && request.profile.compare(request.profile.size() - 5, 5, ".json") == 0) w.profile = &profile_in_file(request.profile);
    else {
      const auto choice = ProfileChoice::parse(request.profile);
      w.profile = &find_profile(choice.name);
      w.isa = choice.isa;
    }
    if (w.isa.empty() && !w.profile->isas.empty()) w.isa = w.profile->isas[0];
    for (const auto& condition : w.profile->for_producer)
      if (const auto colon = condition.find(':'); colon != std::string::npos) w.producer.fields[condition.substr(0, colon)] = condition.substr(colon + 1);
  }
  if (!w.isa.empty()) w.producer.fields["isa"] = w.isa;
  for (const auto& text : request.producer) {
    const auto [key, value] = cut(text);
    if (key.empty()) throw Error("--producer", "found \"" + text + "\", expected KEY=VALUE, as in version=2.13.0");
    w.producer.fields[key] = value;
  }
  const auto known = [&](const std::string& port, const std::string& option) {
    for (const auto* ports : {&w.op->inputs, &w.op->outputs})
      for (const auto& p : *ports)
        if (p.name == port || (p.name.back() == '*' && port.rfind(p.name.substr(0, p.name.size() - 1), 0) == 0)) return port;
    throw Error(option, "found the tensor \"" + port + "\", expected one of the operator " + w.op->name);
  };
  for (const auto& text : request.shapes) {
    const auto [port, shape] = cut(text);
    w.shapes[port.empty() ? first_port(*w.op) : known(port, "--shape " + text)] = parse_shape(shape, "--shape " + text);
  }
  for (const auto& text : request.attributes) {
    const auto [key, value] = cut(text);
    if (std::none_of(w.op->attributes.begin(), w.op->attributes.end(), [&, key = key](const AttributeSpec& a) { return a.name == key; }))
      throw Error("--set " + text, "found the attribute \"" + key + "\", expected one of the operator " + w.op->name);
    w.attributes[key] = parse_attribute(value);
  }
  for (const auto& text : request.dtypes) {
    const auto [port, type] = cut(text);
    const auto dtype = dtype_named(type);
    if (!dtype) throw Error("--dtype " + text, "found the type \"" + type + "\", expected PORT=TYPE with a type of a dump");
    w.dtypes[port.empty() ? first_port(*w.op) : known(port, "--dtype " + text)] = *dtype;
  }
  return w;
}

const Cell& cell_of(const Workshop& w, const Layer& layer) {
  const Cell* cell = cell_for(*w.profile, *w.op, layer);
  if (!cell) throw Error("--profile " + w.request.profile, "found a profile that does not compute " + w.op->name + " of these types, expected one of those that `lastbit list operators` names");
  return *cell;
}

void refresh(const Workshop& w, Layer& layer) { set_producer(layer, w.op, w.producer); }

void set_integers(Tensor& t, const std::vector<std::int32_t>& values) {
  const std::string memory = t.memory_layout;
  t = Tensor::of_integers(t.name, t.dtype, t.shape, t.q, values);
  t.memory_layout = memory;
}

namespace {

/// Ports whose first axis counts samples; empty where samples see each other or there are none.
std::vector<std::string> sampled(const Layer& layer) {
  static const std::vector<std::string> mixed{"cat", "embedding", "embedding_bag", "quantize_dynamic", "lstm_dynamic", "gru_dynamic", "reshape", "flatten", "permute", "transpose", "slice", "flip"};
  if (std::find(mixed.begin(), mixed.end(), layer.op) != mixed.end() || !layer.has_out("y")) return {};
  const Tensor& y = layer.out("y");
  if (y.rank() < 1) return {};
  std::vector<std::string> ports;
  for (const auto& [port, t] : layer.inputs) {
    const bool activation = port == "x" || port == "a" || (port == "b" && layer.op != "matmul");
    if (!activation) continue;
    if (t.rank() < 1 || t.shape[0] != y.shape[0] || (port != "x" && t.rank() != y.rank())) return {};
    if (t.q.axis == 0) return {};
    ports.push_back(port);
  }
  if (layer.op == "linear_dynamic" || layer.op.find("_dynamic") != std::string::npos) return {};
  for (const char* key : {"dim", "pad"})
    if (layer.attributes.has(key)) {
      const std::int64_t rank = layer.inputs.begin()->second.rank();
      const auto axes = layer.attributes.list(key);
      if (std::string(key) == "pad" ? static_cast<std::int64_t>(axes.size()) >= 2 * rank : std::any_of(axes.begin(), axes.end(), [&](std::int64_t a) { return a == 0 || a == -rank; })) return {};
    }
  return ports;
}

/// An activation's zero point: odd or even, off the middle; none where a profile has symmetric activations, or at 16 bits.
std::int64_t zero_point_of(const Workshop& w, DType type, bool odd, bool output) {
  if (habit_of(w.profile->name).symmetric || info(type).bits != 8) return 0;
  const std::int64_t middle = info(type).min == 0 ? 124 : -4;
  return middle + (output ? 6 : 0) + (odd ? 1 : 0);
}

Quantization per_tensor(DType type, double scale, std::int64_t zero_point) {
  Quantization q;
  q.scale = {scale};
  q.zero_point = {static_cast<double>(zero_point)};
  q.qmin = info(type).min, q.qmax = info(type).max;
  return q;
}

std::vector<std::int32_t> random_integers(std::int64_t n, std::int64_t lo, std::int64_t hi, Random& random) {
  std::vector<std::int32_t> v(static_cast<std::size_t>(n));
  for (auto& e : v) e = static_cast<std::int32_t>(random.between(lo, hi));
  return v;
}

/// Multiples of 2^-7 in [-8, 8]: exact in every float type.
Tensor random_floats(const std::string& name, const Shape& shape, bool positive, Random& random) {
  std::vector<float> v(static_cast<std::size_t>(count(shape)));
  for (auto& e : v) e = static_cast<float>(random.between(positive ? 32 : -1024, positive ? 512 : 1024)) / 128.0f;
  return Tensor::of_floats(name, shape, v);
}

int floor_log2(std::int64_t v) {
  int e = 0;
  while (v > 1) v /= 2, ++e;
  return e;
}
double power_of_two(int e) {
  double v = 1;
  for (; e > 0; --e) v *= 2;
  for (; e < 0; ++e) v /= 2;
  return v;
}

Layer blank_like(const Workshop& w, std::int64_t samples, Random& random) {
  Layer layer = *w.like;
  layer.name = layer.op;
  refresh(w, layer);
  if (has_samples(layer)) {
    std::vector<std::int64_t> first(static_cast<std::size_t>(samples), 0);
    layer = with_samples(layer, first);
  }
  for (auto& [port, t] : layer.inputs) {
    t.name = port;
    if (port != "x" && port != "a" && port != "b" && !(port.size() == 2 && port[0] == 'x')) continue;
    if (is_float(t.dtype)) t = random_floats(port, t.shape, false, random);
    else set_integers(t, random_integers(t.size(), t.q.quantized() ? t.q.qmin : info(t.dtype).min, t.q.quantized() ? t.q.qmax : info(t.dtype).max, random));
  }
  for (auto& [port, t] : layer.outputs) t.name = port;
  refresh(w, layer);
  return layer;
}

Tensor picked(const Tensor& t, const std::vector<std::int64_t>& samples) {
  const std::int64_t bytes = t.size() / t.shape[0] * stored_bytes(t.dtype);
  Shape shape = t.shape;
  shape[0] = static_cast<std::int64_t>(samples.size());
  std::vector<std::byte> data(static_cast<std::size_t>(bytes) * samples.size());
  for (std::size_t i = 0; i < samples.size(); ++i) std::memcpy(data.data() + i * static_cast<std::size_t>(bytes), t.data + samples[i] * bytes, static_cast<std::size_t>(bytes));
  Tensor r = Tensor::of(t.name, t.dtype, std::move(shape), t.q, std::move(data));
  r.memory_layout = t.memory_layout;
  return r;
}

}  // namespace

bool has_samples(const Layer& layer) { return !sampled(layer).empty(); }

Layer with_samples(const Layer& layer, const std::vector<std::int64_t>& samples) {
  Layer r = layer;
  for (const auto& port : sampled(layer)) r.inputs.at(port) = picked(layer.in(port), samples);
  if (layer.op == "conv2d_add") r.inputs.at("a") = picked(layer.in("a"), samples);
  for (auto& [port, t] : r.outputs)
    if (t.rank() > 0 && t.shape[0] == layer.out("y").shape[0]) t = picked(t, samples);
  return r;
}

Layer blank_layer(const Workshop& w, const CaseVariant& variant, std::int64_t samples, Random& random) {
  if (w.like) return blank_like(w, samples, random);
  const Habit& habit = habit_of(w.profile->name);
  const Blank blank = blank_of(w.op->name, samples, w.shapes, w.attributes);
  Layer layer;
  layer.name = variant.name;
  layer.op = w.op->name;
  layer.place = layer.attributes.place = "layer " + variant.name;
  layer.attributes.values = blank.attributes;
  if (!variant.activation.empty() && std::any_of(w.op->attributes.begin(), w.op->attributes.end(), [](const AttributeSpec& a) { return a.name == "activation"; }))
    layer.attributes.values.emplace("activation", variant.activation);
  const auto type = [&](const std::string& port, DType otherwise) { return w.dtypes.count(port) ? w.dtypes.at(port) : otherwise; };
  const bool int32_codes = w.op->name == "requantize" && !w.dtypes.count("x");  // accumulators
  const DType x_type = type(first_port(*w.op), int32_codes ? DType::int32 : habit.x);
  using Role = BlankPort::Role;

  // Scales: x 2^-5, weights 2^-7, and an output that as many terms as there are fill without clamping much. One factor for all.
  const auto scale = [&](int exponent) { return variant.dyadic ? power_of_two(exponent) : random.scale(exponent - 23); };
  const double sx = scale(-5);
  std::int64_t terms = 1;
  for (const auto& p : blank.ports)
    if (p.role == Role::weight && (layer.op.rfind("conv", 0) == 0 || layer.op.rfind("linear", 0) == 0)) {
      terms = count(p.shape) / std::max<std::int64_t>(1, p.shape[0]);
      if (layer.op.find("transpose") != std::string::npos) terms = count(p.shape) / std::max<std::int64_t>(1, p.shape.size() > 1 ? p.shape[1] : 1) / layer.attributes.integer("groups", 1);
    }
  if (layer.op == "matmul") terms = blank.ports[0].shape.back();
  double sw = 1, out_scale = 0;
  const auto span = [](DType t) { return is_float(t) ? std::int64_t{255} : std::min<std::int64_t>(info(t).max - info(t).min, std::int64_t{1} << 20); };
  const bool products = terms > 1 || layer.op == "mul" || layer.op.rfind("conv", 0) == 0 || layer.op.rfind("linear", 0) == 0 || layer.op == "matmul";
  const DType w_type = type("weight", habit.weight), y_type = type("y", int32_codes ? habit.x : x_type);

  for (const auto& p : blank.ports) {
    Tensor t;
    switch (p.role) {
      case Role::activation: {
        if (p.shape.empty()) continue;  // like y, below
        const bool first = p.port == first_port(*w.op);
        const DType dtype = type(p.port, first ? x_type : layer.op == "matmul" || layer.op == "mul" || layer.op == "add" || layer.op == "sub" || layer.op == "cat" ? x_type : habit.x);
        const double s = first ? sx : layer.op == "cat" ? scale(-4) : scale(-6);
        if (!first) sw = s;
        std::int64_t lo = info(dtype).min, hi = info(dtype).max;
        Quantization q = per_tensor(dtype, s, int32_codes ? 0 : zero_point_of(w, dtype, first ? variant.odd : !variant.odd, false));
        if (int32_codes) lo = -(std::int64_t{1} << 17), hi = (std::int64_t{1} << 17) - 1;
        t = Tensor::of_integers(p.port, dtype, p.shape, q, random_integers(count(p.shape), lo, hi, random));
        break;
      }
      case Role::weight: {
        const bool rows = layer.op == "embedding" || layer.op == "embedding_bag";
        const DType dtype = type(p.port, rows ? DType::uint8 : layer.op == "prelu" ? habit.x : p.port == "weight" ? w_type : DType::int8);
        sw = scale(-7);
        const auto& range = info(dtype);
        const bool is_signed = range.min < 0;
        Quantization q = per_tensor(dtype, sw, is_signed ? 0 : (variant.odd ? 131 : 126) >> (8 - std::min(8, range.bits)));
        const bool channels = (variant.per_channel && products && layer.op != "matmul") || rows || layer.op == "linear_weight_only";
        if (channels) {
          q.axis = layer.op.find("transpose") != std::string::npos ? 1 : 0;
          const std::int64_t n = p.shape[static_cast<std::size_t>(q.axis)];
          q.scale.clear(), q.zero_point.clear();
          for (std::int64_t c = 0; c < n; ++c) {
            q.scale.push_back(variant.dyadic ? power_of_two(-7 - static_cast<int>(c % 3)) : random.scale(-7 - 23));
            q.zero_point.push_back(rows ? static_cast<double>(random.between(0, 510)) / 2 : is_signed ? 0.0 : static_cast<double>(random.between(120, 135) >> (8 - std::min(8, range.bits))));
          }
          q.float_zero_point = rows;
        }
        // Half the range: no pair of products exceeds int16, and what is solved for is what every register holds. Extreme: a
        // third at the ends.
        const std::int64_t full_lo = is_signed ? -range.max : range.min, full_hi = range.max;
        const std::int64_t lo = variant.extreme || range.bits < 8 ? full_lo : is_signed ? -(range.max / 2) : range.max / 4, hi = variant.extreme || range.bits < 8 ? full_hi : is_signed ? range.max / 2 : range.max / 4 * 3;
        auto values = random_integers(count(p.shape), lo, hi, random);
        if (variant.extreme)
          for (auto& value : values)
            if (const auto which = random.below(6); which < 2) value = static_cast<std::int32_t>(which ? hi : lo);
        t = Tensor::of_integers(p.port, dtype, p.shape, q, values);
        break;
      }
      case Role::bias: {
        if (!variant.bias) continue;
        const DType dtype = type("bias", layer.op.find("_dynamic") != std::string::npos || layer.op == "linear_weight_only" ? DType::float32 : habit.bias);
        auto steps = random_integers(count(p.shape), -3000, 3000, random);
        if (is_float(dtype)) {
          std::vector<float> v;
          // Multiples of 2^-12, steps of a dyadic si * sw, so that sums can meet boundaries; but quarters of one in the second
          // channel, so that a bias that is rounded to such steps shows.
          for (std::size_t o = 0; o < steps.size(); ++o) v.push_back(static_cast<float>(o == 1 ? steps[o] : steps[o] / 4 * 4) / 16384.0f);
          t = Tensor::of_floats("bias", p.shape, v);
        } else {
          t = Tensor::of_integers("bias", dtype, p.shape, {}, steps);  // its scale is si * sw
        }
        break;
      }
      case Role::value: case Role::positive: t = random_floats(p.port, p.shape, p.role == Role::positive, random); break;
      case Role::index: t = Tensor::of_integers(p.port, DType::int64, p.shape, {}, random_integers(count(p.shape), 0, layer.in("weight").dim(0) - 1, random)); break;
      case Role::offset: {
        std::vector<std::int32_t> v(static_cast<std::size_t>(count(p.shape)));
        const std::int64_t n = layer.in("indices").size(), bags = static_cast<std::int64_t>(v.size());
        for (std::int64_t i = 0; i < bags; ++i) v[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(i * n / bags);
        t = Tensor::of_integers(p.port, DType::int64, p.shape, {}, v);
        break;
      }
    }
    layer.inputs.emplace(p.port, std::move(t));
  }

  const OutputKind kind = output_kind(layer.op);
  const auto zero = [&](const std::string& port, DType dtype, const Shape& shape, const Quantization& q) {
    layer.outputs.emplace(port, Tensor::of(port, dtype, shape, q, std::vector<std::byte>(static_cast<std::size_t>(count(shape) * stored_bytes(dtype)))));
  };
  if (kind == OutputKind::states) {
    const bool lstm = layer.op.rfind("lstm", 0) == 0, whole = layer.op.find("_dynamic") != std::string::npos;
    const Shape state = whole ? layer.in("h").shape : layer.in(lstm ? "c" : "h").shape;
    if (whole) {
      Shape y = layer.in("x").shape;
      y.back() = state.back();
      zero("y", DType::float32, y, {}), zero("h_n", DType::float32, state, {});
      if (lstm) zero("c_n", DType::float32, state, {});
    } else {
      zero("h_out", DType::float32, state, {});
      if (lstm) zero("c_out", DType::float32, state, {});
    }
    refresh(w, layer);
    return layer;
  }
  const Shape shape = output_shape(layer);
  if (count(shape) < 1 || count(shape) > (std::int64_t{1} << 24)) throw Error("--shape", "found an output of shape " + to_string(shape) + ", expected 1 to 2^24 elements");
  const std::int64_t zo = zero_point_of(w, y_type, variant.odd, true);
  const Tensor& first = layer.in(first_port(*w.op));
  DType dtype = is_float(y_type) && kind != OutputKind::floats ? habit.x : y_type;
  Quantization q;
  switch (kind) {
    case OutputKind::floats: dtype = DType::float32; break;
    case OutputKind::kept: q = first.q, dtype = first.dtype; break;
    case OutputKind::unit: q = info(dtype).bits == 16 ? per_tensor(dtype, power_of_two(-15), 0) : per_tensor(dtype, power_of_two(-8), info(dtype).min); break;
    case OutputKind::symmetric_unit: q = info(dtype).bits == 16 ? per_tensor(dtype, power_of_two(-15), 0) : per_tensor(dtype, power_of_two(-7), (info(dtype).min + info(dtype).max + 1) / 2); break;
    case OutputKind::chosen: q = per_tensor(dtype, sx, zo); break;
    case OutputKind::scaled: case OutputKind::states: {
      int e = 0;  // so = si * sw * 2^e
      if (products && layer.op != "cat") e = std::max(1, floor_log2(terms * span(x_type) * span(layer.op == "matmul" || layer.op == "mul" ? x_type : w_type) / ((variant.extreme ? 8 : layer.op == "matmul" || layer.op == "mul" ? 4 : 16) * span(dtype))));
      const int base = products ? (layer.op == "mul" || layer.op == "matmul" ? -11 : -12) : -4;
      if (int32_codes) e = -base - 5 + 9;  // 2^-9 of an accumulator
      out_scale = scale(base + e - variant.narrower);
      if (!products && !variant.dyadic) out_scale = random.scale(-5 - 23 - variant.narrower + (int32_codes ? 9 : 1));
      q = per_tensor(dtype, out_scale, zo);
      break;
    }
  }
  if (layer.op == "quantize_rowwise") {
    q.axis = 0;
    q.scale.assign(static_cast<std::size_t>(shape[0]), 1.0), q.zero_point.assign(static_cast<std::size_t>(shape[0]), 0.0);
    dtype = type("y", DType::uint8);
    q.qmin = info(dtype).min, q.qmax = info(dtype).max;
    zero("bias", DType::float32, {shape[0]}, {});
  }
  zero("y", dtype, shape, q);
  if (layer.op == "conv2d_add") {
    Quantization qa = per_tensor(dtype, scale(-4), zero_point_of(w, dtype, !variant.odd, false));
    layer.inputs.emplace("a", Tensor::of_integers("a", dtype, shape, qa, random_integers(count(shape), info(dtype).min, info(dtype).max, random)));
  }
  refresh(w, layer);
  // Some profiles hold an operator only in one of its variants.
  const std::pair<const char*, Attribute> ways[] = {{"variant", std::string("decomposed")}, {"variant", std::string("float")}, {"per_token", true}};
  for (const auto& [key, value] : ways) {
    if (cell_for(*w.profile, *w.op, layer)) break;
    if (layer.attributes.values.count(key) || std::none_of(w.op->attributes.begin(), w.op->attributes.end(), [&, k = key](const AttributeSpec& a) { return a.name == k; })) continue;
    layer.attributes.values[key] = value;
    refresh(w, layer);
    if (!cell_for(*w.profile, *w.op, layer)) layer.attributes.values.erase(key), refresh(w, layer);
  }
  if (int32_codes) {  // a multiplier in 256ths takes codes, not accumulators
    const Cell* cell = cell_for(*w.profile, *w.op, layer);
    if (cell && !cell->stages.empty() && cell->stages[0].rfind("fixed q8", 0) == 0) {
      Workshop codes = w;
      codes.dtypes["x"] = habit.x;
      return blank_layer(codes, variant, samples, random);
    }
  }
  if (layer.op == "cat" && cell_of(w, layer).rule == "copy") {  // bits are moved whatever the qparams say: they are alike
    for (auto& [port, t] : layer.inputs) t.q = layer.out("y").q;
    refresh(w, layer);
  }
  if (w.op->check) w.op->check(layer);
  return layer;
}

}  // namespace lastbit
