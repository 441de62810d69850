// twin_elementwise.cpp: see twin_rules.hpp.
#include <algorithm>
#include <array>
#include <charconv>

#include "golden/rational.hpp"
#include "golden/twin_rules.hpp"

namespace lastbit {

using namespace rational;

namespace {

std::int64_t clamped(std::int64_t v, Range r) { return std::min(std::max(v, r.min), r.max); }
Exact whole_number(std::int64_t v) { return Exact(v); }
Exact scale_of(const Tensor& t) { return f32(Exact(t.q.scale_of(0))); }

std::int64_t number(const std::string& text) {
  std::int64_t n = 0;
  std::from_chars(text.data(), text.data() + text.size(), n);
  return n;
}

/// One array of one shape from one end to the other: then a kernel's vectors are its first elements, its tail the rest.
bool in_a_row(const Layer& layer) {
  for (const auto* ports : {&layer.inputs, &layer.outputs})
    for (const auto& [port, t] : *ports)
      if (t.shape != layer.out("y").shape || (!t.memory_layout.empty() && t.rank() > 2) || t.q.axis >= 0) return false;
  return true;
}

/// ATen's quantized kernels: dequantize, a float32 function, quantize; vectors otherwise than the tail.
class Aten {
 public:
  Aten(const Layer& layer, const Cell& cell) : y_(layer.out("y")), tail_(cell.get("tail", "outside")), fused_(cell.get("dequantize", "fma") == "fma") {
    const std::int64_t block = number(cell.get("vector", "0"));
    body_ = block ? y_.size() / block * block : 0;
    inverse_ = cell.get("inverse", "f32") == "f64" ? f32(f64(Exact(1) / Exact(y_.q.scale_of(0)))) : f32(Exact(1) / scale_of(y_));
    all_ = cell.get("all");
    vector_rule_ = cell.get("vector_rule");
  }
  bool body(std::int64_t i) const { return i < body_; }
  Exact dequantized(const Tensor& t, std::int64_t q, bool body) const {
    const Exact s = scale_of(t);
    const std::int64_t z = t.q.integer_zero_point();
    return body && fused_ ? f32(s * whole_number(q) + f32(s * whole_number(-z))) : f32(s * whole_number(q - z));
  }
  std::optional<std::int64_t> quantized(const Exact& v, bool body) const {
    const std::int64_t z = y_.q.integer_zero_point();
    const Range range = stored_range(y_);
    if (!body || !all_.empty()) return quantized_rationally(all_.empty() ? tail_ : all_, v, y_.q.scale_of(0), z, range);
    if (!vector_rule_.empty()) return quantized_rationally(vector_rule_, v, y_.q.scale_of(0), z, range);
    const Exact t = f32(v * inverse_), most(2147483520.0);
    const Exact kept = t < most ? t : most;
    const std::int64_t n = kept < -power(31) ? floor_of(-power(31)) : whole(kept, Ties::even);
    return clamped(wrapped(n + z, 32), range);
  }

 private:
  const Tensor& y_;
  std::string tail_, all_, vector_rule_;
  bool fused_;
  std::int64_t body_ = 0;
  Exact inverse_;
};

/// Values of each code, worked out once, in the body and in the tail.
template <class F>
TwinValues of_codes(const Tensor& x, F f) {
  TwinValues v;
  std::map<std::pair<bool, std::int64_t>, std::optional<std::int64_t>> known;
  for (std::int64_t i = 0; i < x.size(); ++i) {
    const std::pair key(f.body(i), x.integer(i));
    auto it = known.find(key);
    if (it == known.end()) {
      std::optional<std::int64_t> q;
      try {
        q = f(key.second, key.first);
      } catch (const NotRational&) {
      }
      it = known.emplace(key, q).first;
    }
    v.push_back(it->second);
  }
  return v;
}
template <class F, class B>
struct WithBody : F {
  B in_body;
  WithBody(F f, B b) : F(std::move(f)), in_body(std::move(b)) {}
  bool body(std::int64_t i) const { return in_body(i); }
};

/// Of pairs of codes.
template <class F, class B>
TwinValues of_pairs(const Layer& layer, F f, B body) {
  const Tensor &a = layer.in("a"), &b = layer.in("b");
  TwinValues v;
  std::map<std::array<std::int64_t, 3>, std::optional<std::int64_t>> known;
  for (std::int64_t i = 0; i < layer.out("y").size(); ++i) {
    const std::array<std::int64_t, 3> key{body(i), a.integer(i), b.integer(i)};
    auto it = known.find(key);
    if (it == known.end()) {
      std::optional<std::int64_t> q;
      try {
        q = f(key[1], key[2], key[0] != 0);
      } catch (const NotRational&) {
      }
      it = known.emplace(key, q).first;
    }
    v.push_back(it->second);
  }
  return v;
}

Range range_of(const Layer& layer, const Cell& cell) { return activated_range(layer, layer.out("y"), cell.get("bound") == "half_away" ? Rounding::half_away : Rounding::half_even); }

std::optional<TwinValues> sum(const Layer& layer, const Cell& cell, int sign) {
  const Tensor &a = layer.in("a"), &b = layer.in("b"), &y = layer.out("y");
  const std::int64_t za = a.q.integer_zero_point(), zb = b.q.integer_zero_point(), zo = y.q.integer_zero_point();
  const Exact sa = scale_of(a), sb = scale_of(b), so = scale_of(y), s(sign);
  const Range range = range_of(layer, cell);
  const auto none = [](std::int64_t) { return false; };
  if (cell.rule == "aten") {
    const Aten kernel(layer, cell);
    const bool relu = layer.attributes.text("activation", "none") == "relu";
    std::map<std::pair<int, std::int64_t>, Exact> reals;
    const auto real = [&](int which, const Tensor& t, std::int64_t q, bool body) -> const Exact& {
      const std::pair key(which * 2 + body, q);
      const auto it = reals.find(key);
      return it != reals.end() ? it->second : reals.emplace(key, kernel.dequantized(t, q, body)).first->second;
    };
    return of_pairs(layer, [&](std::int64_t qa, std::int64_t qb, bool body) {
      Exact v = f32(real(0, a, qa, body) + s * real(1, b, qb, body));
      if (relu && v < Exact(0)) v = Exact(0);
      return kernel.quantized(v, body);
    }, [&](std::int64_t i) { return kernel.body(i); });
  }
  if (cell.rule == "fixed22_away" || cell.rule == "fixed21_up") {
    const int bits = cell.rule == "fixed22_away" ? 22 : 21;
    const Exact ra = f32(sa / so), rb = f32(sb / so);
    const int shift = bits - 1 - exponent_of(ra > rb ? ra : rb);
    const Exact ma(whole(ra * power(shift), Ties::even)), mb(whole(rb * power(shift), Ties::even));
    return of_pairs(layer, [&](std::int64_t qa, std::int64_t qb, bool) -> std::optional<std::int64_t> {
      const Exact acc = whole_number(qa - za) * ma + s * whole_number(qb - zb) * mb;
      return clamped(saturated(Exact(whole(acc * power(-shift), bits == 22 ? Ties::away : Ties::up)), 16) + zo, range);
    }, none);
  }
  if (cell.rule == "mlas") {
    const Exact A = f32(sa / so), B = s * f32(sb / so), z(zo), ea(za), eb(zb);
    const bool fma = cell.get("order", "fma") == "fma";
    const Exact F = fma ? f32(z - f32(A * ea + f32(B * eb))) : f32(z - f32(f32(A * ea) + f32(B * eb)));
    return of_pairs(layer, [&](std::int64_t qa, std::int64_t qb, bool) -> std::optional<std::int64_t> {
      const Exact x(qa), w(qb), v = fma ? f32(x * A + f32(w * B + F)) : f32(f32(F + f32(x * A)) + f32(w * B));
      return clamped(whole(v, Ties::even), range);
    }, none);
  }
  if (cell.rule == "gemmlowp") {
    const std::string rule = cell.get("fixed", "double_away");
    const std::int64_t left = number(cell.get("left", "20")), vectors = number(cell.get("vectors", "0"));
    const bool floors = cell.get("inputs", "one_rounding") == "floor";
    const Exact twice = Exact(2) * (sa > sb ? sa : sb);
    const Multiplier ma = multiplier(f64(sa / twice)), mb = multiplier(f64(sb / twice)), mo = multiplier(f64(twice / f64(power(static_cast<int>(left)) * so)));
    const auto at_once = [&](std::int64_t x, const Multiplier& m) {
      const Exact moved = whole_number(x) * power(static_cast<int>(left) + (floors ? 0 : m.shift));
      const std::int64_t high = whole(Exact(wrapped(Exact(floor_of(moved)), 32)) * Exact(m.m) / power(31), Ties::up);
      return floors ? whole(Exact(high) * power(m.shift), Ties::floor) : high;
    };
    const std::int64_t body = vectors ? y.size() / vectors * vectors : 0;
    return of_pairs(layer, [&](std::int64_t qa, std::int64_t qb, bool in_vector) -> std::optional<std::int64_t> {
      const std::int64_t up = std::int64_t{1} << left, x = in_vector ? at_once(qa - za, ma) : fixed(rule, (qa - za) * up, ma), w = in_vector ? at_once(qb - zb, mb) : fixed(rule, (qb - zb) * up, mb);
      const std::int64_t v = fixed(rule, x + sign * w, mo);
      return clamped(in_vector ? wrapped(saturated(Exact(v), 16) + zo, 16) : v + zo, range);
    }, [&](std::int64_t i) { return i < body; });
  }
  return {};
}

RequantizeContext context_of(const Tensor& x, const Tensor* w, const Tensor& y, Range range) {
  RequantizeContext c;
  c.min = range.min, c.max = range.max;
  c.channels.push_back({{"si", x.q.scale_of(0)}, {"sw", w ? w->q.scale_of(0) : 1.0}, {"so", y.q.scale_of(0)}, {"zi", x.q.zero_point_of(0)}, {"zo", y.q.zero_point_of(0)}, {"bias", 0.0}, {"alpha", 1.0}});
  return c;
}

std::optional<TwinValues> product(const Layer& layer, const Cell& cell) {
  if (cell.rule != "stages") return {};
  const Tensor &a = layer.in("a"), &b = layer.in("b"), &y = layer.out("y");
  const Range range = range_of(layer, cell);
  RationalStages stages(cell.stages, context_of(a, &b, y, range));
  const std::int64_t za = a.q.integer_zero_point(), zb = b.q.integer_zero_point(), zo = y.q.integer_zero_point(), block = number(cell.get("int16_vector", "0")), body = block ? y.size() / block * block : 0;
  std::map<std::int64_t, std::optional<std::int64_t>> known;
  return of_pairs(layer, [&](std::int64_t qa, std::int64_t qb, bool in_vector) -> std::optional<std::int64_t> {
    const std::int64_t acc = (qa - za) * (qb - zb);
    auto it = known.find(acc);
    if (it == known.end()) it = known.emplace(acc, stages(acc)).first;
    if (!block || !it->second) return it->second;
    return clamped(in_vector ? wrapped(saturated(Exact(*it->second), 16) + zo, 16) : *it->second + zo, range);
  }, [&](std::int64_t i) { return i < body; });
}

/// Bounds of relu, relu6, hardtanh and clamp in real numbers.
std::optional<std::pair<std::optional<double>, std::optional<double>>> limits_of(const Layer& layer) {
  using Bounds = std::pair<std::optional<double>, std::optional<double>>;
  const auto attribute = [&](const char* key) { return layer.attributes.has(key) ? std::optional(layer.attributes.number(key, 0)) : std::nullopt; };
  if (layer.op == "relu") return Bounds{0.0, std::nullopt};
  if (layer.op == "relu6") return Bounds{0.0, 6.0};
  if (layer.op == "hardtanh") return Bounds{layer.attributes.number("min_val", -1), layer.attributes.number("max_val", 1)};
  if (layer.op == "clamp") return Bounds{attribute("min"), attribute("max")};
  return {};
}

std::optional<TwinValues> limited(const Layer& layer, const Cell& cell) {
  const Tensor &x = layer.in("x"), &y = layer.out("y");
  const auto bounds = *limits_of(layer);
  const Range stored = stored_range(y);
  const auto bound = [&](const std::optional<double>& v, std::int64_t otherwise) { return v ? quantized_rationally(cell.get("bound", "outside"), f32(Exact(*v)), y.q.scale_of(0), y.q.integer_zero_point(), stored) : otherwise; };
  const auto lo = bound(bounds.first, stored.min), hi = bound(bounds.second, stored.max);
  if (!lo || !hi) return {};
  const auto all_alike = [](std::int64_t) { return false; };
  if (cell.rule == "stages") {
    RationalStages stages(cell.stages, context_of(x, nullptr, y, {*lo, std::max(*lo, *hi)}));
    const std::int64_t zi = x.q.integer_zero_point();
    auto f = [&](std::int64_t q, bool) { return stages(q - zi); };
    return of_codes(x, WithBody(f, all_alike));
  }
  if (cell.rule != "clamp") return {};
  auto f = [&](std::int64_t q, bool) { return std::optional(std::min(std::max(q, *lo), *hi)); };
  return of_codes(x, WithBody(f, all_alike));
}

/// hardswish and leaky_relu as functions of float32.
std::optional<Exact> float_function(const Layer& layer, const Exact& v) {
  if (layer.op == "leaky_relu") return v > Exact(0) ? v : f32(v * f32(Exact(layer.attributes.number("negative_slope", 0.01))));
  if (layer.op == "hardswish") {
    const Exact moved = f32(v + Exact(3)), kept = moved < Exact(0) ? Exact(0) : moved > Exact(6) ? Exact(6) : moved;
    return f32(f32(v * kept) / Exact(6));
  }
  return {};
}

std::optional<TwinValues> activation(const Layer& layer, const Cell& cell) {
  const Tensor &x = layer.in("x"), &y = layer.out("y");
  const std::int64_t zi = x.q.integer_zero_point(), zo = y.q.integer_zero_point();
  const Range range = stored_range(y);
  const auto all_alike = [](std::int64_t) { return false; };
  if (cell.rule == "aten") {
    const Aten kernel(layer, cell);
    auto f = [&](std::int64_t q, bool body) { return kernel.quantized(*float_function(layer, kernel.dequantized(x, q, body)), body); };
    return of_codes(x, WithBody(f, [&](std::int64_t i) { return kernel.body(i); }));
  }
  if (cell.rule == "lut") {
    const std::string rule = cell.get("rounding", "outside");
    auto f = [&](std::int64_t q, bool) { return quantized_rationally(rule, *float_function(layer, f32(scale_of(x) * whole_number(q - zi))), y.q.scale_of(0), zo, range); };
    return of_codes(x, WithBody(f, all_alike));
  }
  if (layer.op != "leaky_relu") return {};
  const Exact alpha = f32(Exact(layer.attributes.number("negative_slope", 0.01)));
  if (cell.rule == "eighths") {
    const Exact ratio = f32(scale_of(x) / scale_of(y));
    const std::int64_t positive = whole(f32(Exact(256) * ratio), Ties::even), negative = whole(f32(Exact(256) * f32(ratio * alpha)), Ties::even);
    auto f = [&](std::int64_t q, bool) { return std::optional(clamped(whole(Exact(zo) + Exact((q - zi) * (q >= zi ? positive : negative)) / Exact(256), Ties::up), range)); };
    return of_codes(x, WithBody(f, all_alike));
  }
  if (cell.rule == "fixed") {
    RequantizeContext c = context_of(x, nullptr, y, {INT32_MIN, INT32_MAX});
    c.channels[0]["alpha"] = abs(alpha).to_double();
    RationalStages positive({"fixed " + cell.get("fixed", "double_away") + " " + cell.get("positive")}, c), negative({"fixed " + cell.get("fixed", "double_away") + " " + cell.get("negative")}, c);
    auto f = [&](std::int64_t q, bool) -> std::optional<std::int64_t> {
      const auto v = q >= zi ? positive(q - zi) : negative(q - zi);
      if (!v) return {};
      return clamped((q < zi && alpha < Exact(0) ? -*v : *v) + zo, range);
    };
    return of_codes(x, WithBody(f, all_alike));
  }
  return {};
}

std::optional<TwinValues> quantize(const Layer& layer, const Cell& cell) {
  const Tensor &x = layer.in("x"), &y = layer.out("y");
  if (x.dtype != DType::float32 || y.q.float_zero_point || y.q.axis >= 0 || y.q.scale.size() != 1 || cell.with.count("edges")) return {};
  const std::int64_t block = number(cell.get("vector", "1")), body = block > 0 ? x.size() / block * block : x.size();
  TwinValues v;
  for (std::int64_t i = 0; i < x.size(); ++i) {
    std::optional<std::int64_t> q;
    try {
      const double f = x.value(i);
      if (f - f == 0) q = quantized_rationally(i < body ? cell.get("rounding", "outside") : cell.get("tail", cell.get("rounding", "outside")), Exact(f), y.q.scale_of(0), y.q.integer_zero_point(), stored_range(y));
    } catch (const NotRational&) {
    }
    v.push_back(q);
  }
  return v;
}

/// requantize through float32: the code is dequantized, then quantized anew.
std::optional<TwinValues> through_float(const Layer& layer, const Cell& cell) {
  const Tensor &x = layer.in("x"), &y = layer.out("y");
  if (cell.rule != "dequantize_quantize" || x.q.scale.size() != 1 || y.q.scale.size() != 1 || x.q.float_zero_point || y.q.float_zero_point) return {};
  auto f = [&](std::int64_t q, bool) {
    return quantized_rationally(cell.get("rounding", "outside"), f32(scale_of(x) * f32(Exact(q - x.q.integer_zero_point()))), y.q.scale_of(0), y.q.integer_zero_point(), stored_range(y));
  };
  return of_codes(x, WithBody(f, [](std::int64_t) { return false; }));
}

}  // namespace

std::optional<std::int64_t> quantized_rationally(const std::string& rule, const Exact& x, double scale, std::int64_t z, Range range) {
  const Exact s = f32(Exact(scale)), inverse = f32(Exact(1) / s), most(2147483520.0), zero(z);
  if (rule == "inside_fused" || rule == "inside_nan_zero") {
    const Exact t = f32(x * inverse + zero), v = t < most ? t : most;
    return clamped(v < -power(31) ? floor_of(-power(31)) : whole(v, Ties::even), range);
  }
  if (rule == "inside") return clamped(whole(f32(f32(x * inverse) + zero), Ties::even), range);
  if (rule == "inside_reciprocal") return clamped(whole(f32(f32(x * f32(f64(Exact(1) / Exact(scale)))) + zero), Ties::even), range);
  if (rule == "inside_wrap") return clamped(wrapped(whole(f32(f32(x * inverse) + zero), Ties::even), 32), range);
  if (rule == "outside") return clamped(whole(f32(x * inverse), Ties::even) + z, range);
  if (rule == "outside_int64") return clamped(whole(f32(f32(Exact(whole(f32(x * inverse), Ties::even))) + f32(zero)), Ties::even), range);
  if (rule == "divide_even") {
    const Exact v = f32(x / s), lo(range.min - z), hi(range.max - z);
    return whole(v < lo ? lo : v > hi ? hi : v, Ties::even) + z;
  }
  if (rule == "divide_even_wrap") {
    const Exact v = f32(x / s);
    return clamped(wrapped((v >= -power(31) && v < power(31) ? whole(v, Ties::even) : floor_of(-power(31))) + z, 32), range);
  }
  if (rule == "divide_away") return clamped(whole(f32(x / s), Ties::away) + z, range);
  if (rule == "inverse_away") return clamped(whole(f32(x * inverse), Ties::away) + z, range);
  if (rule == "divide_away_f64") return clamped(whole(f64(x / Exact(scale)), Ties::away) + z, range);
  if (rule == "reciprocal_f64") return clamped(whole(f32(x * f32(f64(Exact(1) / Exact(scale)))), Ties::even) + z, range);
  if (rule == "inside_f64") return clamped(whole(f64(f64(x * f64(Exact(1) / Exact(scale))) + zero), Ties::even), range);
  return {};
}

std::optional<TwinValues> twin_elementwise(const Layer& layer, const Cell& cell) {
  const bool pair = layer.op == "add" || layer.op == "sub" || layer.op == "mul";
  if (!layer.has_out("y") || is_float(layer.out("y").dtype)) return {};
  if (layer.op == "quantize") return quantize(layer, cell);
  if (layer.op == "requantize") return through_float(layer, cell);
  if (!pair && layer.op != "leaky_relu" && layer.op != "hardswish" && !limits_of(layer)) return {};
  if (!in_a_row(layer)) return {};
  if (layer.op == "mul") return product(layer, cell);
  if (pair) return sum(layer, cell, layer.op == "sub" ? -1 : 1);
  return limits_of(layer) ? limited(layer, cell) : activation(layer, cell);
}

}  // namespace lastbit
