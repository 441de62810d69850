// sum.cpp: see sum.hpp.
#include "lib/rules/sum.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "lib/error.hpp"
#include "lib/num/fixed.hpp"
#include "lib/num/float.hpp"
#include "lib/rules/aten_kernel.hpp"
#include "lib/rules/pointwise.hpp"
#include "lib/rules/tensor_iterator.hpp"

namespace lastbit {

const std::vector<std::string> sum_rules{"aten", "fixed22_away", "fixed21_up", "mlas", "gemmlowp", "acl"};

namespace {

struct Operands {
  const Tensor &a, &b, &y;
  std::vector<std::int64_t> ia, ib;   // element of a, of b, for each output element; empty: the same
  std::int64_t za, zb, zo;
  float sa, sb, so;
  Range range;
};

Operands read(const Layer& layer, const Cell& cell) {
  const Tensor &a = layer.in("a"), &b = layer.in("b"), &y = layer.out();
  const bool alike = a.shape == y.shape && b.shape == y.shape;
  return {a, b, y, alike ? std::vector<std::int64_t>() : broadcast_index(a.shape, y.shape), alike ? std::vector<std::int64_t>() : broadcast_index(b.shape, y.shape),
          a.q.integer_zero_point(), b.q.integer_zero_point(), y.q.integer_zero_point(),
          static_cast<float>(a.q.scale_of(0)), static_cast<float>(b.q.scale_of(0)), static_cast<float>(y.q.scale_of(0)),
          activated_range(layer, y, cell.get("bound") == "half_away" ? Rounding::half_away : Rounding::half_even)};
}

/// Every output element by one function of the two stored values and of whether the element lies in the kernel's body (empty: none
/// does). Two bytes have few values: what they come to is computed once for each, where there are more elements than that.
template <class F>
Result each(const Operands& o, const std::vector<char>& body, F f) {
  Result r;
  Computed& y = r.outputs["y"] = quantized_output(o.y.shape);
  const auto a_at = [&](std::size_t i) { return o.ia.empty() ? static_cast<std::int64_t>(i) : o.ia[i]; };
  const auto b_at = [&](std::size_t i) { return o.ib.empty() ? static_cast<std::int64_t>(i) : o.ib[i]; };
  if (info(o.a.dtype).bits > 8 || info(o.b.dtype).bits > 8 || y.q.size() <= std::size_t{1} << 16) {
    for (std::size_t i = 0; i < y.q.size(); ++i)
      y.q[i] = static_cast<std::int32_t>(f(!body.empty() && body[i] != 0, o.a.integer(a_at(i)), o.b.integer(b_at(i)), y.events[i]));
    return r;
  }
  struct Known {
    std::int32_t q = 0;
    Events events = 0;
    bool there = false;
  };
  std::vector<Known> known(body.empty() ? 1 << 16 : 1 << 17);
  for (std::size_t i = 0; i < y.q.size(); ++i) {
    const std::int64_t ia = a_at(i), ib = b_at(i);
    const bool in_body = !body.empty() && body[i] != 0;
    Known& k = known[static_cast<std::size_t>(in_body) << 16 | std::to_integer<std::size_t>(o.a.data[ia]) << 8 | std::to_integer<std::size_t>(o.b.data[ib])];
    if (!k.there) {
      k.q = static_cast<std::int32_t>(f(in_body, o.a.integer(ia), o.b.integer(ib), k.events));
      k.there = true;
    }
    y.q[i] = k.q;
    y.events[i] = k.events;
  }
  return r;
}

std::int64_t clamped(std::int64_t v, Range r, Events& events) {
  if (v < r.min || v > r.max) events |= event::clamped;
  return std::clamp(v, r.min, r.max);
}

Result run_aten(const Layer& layer, const Cell& cell, const Operands& o, int sign) {
  const AtenKernel kernel(layer, cell, o.y);
  const bool relu = layer.attributes.text("activation", "none") == "relu";
  const auto body = vector_body(o.y.shape, {memory_strides(o.y.shape, o.y.memory_layout.empty() ? o.a.memory_layout : o.y.memory_layout), operand_strides(o.a, o.y.shape), operand_strides(o.b, o.y.shape)}, kernel.block());
  return each(o, body, [&](bool in_body, std::int64_t a, std::int64_t b, Events& events) {
    const float x = kernel.dequantize(o.a, a, in_body), w = kernel.dequantize(o.b, b, in_body);
    float c = sign < 0 ? x - w : x + w;
    if (relu) c = c > 0.0f ? c : 0.0f;
    return kernel.quantize(c, in_body, events);
  });
}

/// M = rne(ratio * 2^k) for both, k = bits - 1 - exponent of the larger ratio.
struct TwoMultipliers {
  std::int64_t a, b;
  int shift;
};
TwoMultipliers two_multipliers(const Layer& layer, float ra, float rb, int bits) {
  const float larger = std::max(ra, rb);
  if (!(larger > 0x1p-120f && larger < 0x1p100f)) throw Error(layer.place, "found scales whose ratio is beyond 32 bits, expected scales nearer to each other");
  const int shift = bits - 1 - std::ilogb(larger);
  if (shift < 1 || shift > 40) throw Error(layer.place, "found scales whose ratio needs a shift of " + std::to_string(shift) + " bits, expected 1 to 40");
  const auto scaled = [&](float r) { return rne(static_cast<double>(std::ldexp(r, shift))); };
  return {scaled(ra), scaled(rb), shift};
}

Result run_fixed(const Layer& layer, const Operands& o, int bits, Rounding mode, int sign) {
  const auto m = two_multipliers(layer, o.sa / o.so, o.sb / o.so, bits);
  return each(o, {}, [&](bool, std::int64_t a, std::int64_t b, Events& events) {
    const std::int64_t acc = (a - o.za) * m.a + sign * (b - o.zb) * m.b;
    const Rounded r = shift_right(acc, m.shift, mode);
    if (r.lost == Lost::half) events |= event::tie;
    return clamped(saturate(r.value, 16) + o.zo, o.range, events);
  });
}

/// "order" fma: F = zo - fma(A, za, f32(B*zb)), v = fma(a, A, fma(b, B, F)); plain: F = zo - (A*za + B*zb), v = (F + a*A) + b*B.
/// A constant operand is folded into F first; if that is a, the operands change places.
Result run_mlas(const Layer& layer, const Cell& cell, const Operands& o, int sign) {
  const bool fma = cell.get("order", "fma") == "fma", swapped = layer.is("scalar:a") && !layer.is("scalar:b"), constant = layer.is("scalar:a") || layer.is("scalar:b");
  const float B0 = o.sb / o.so, A = swapped ? B0 : o.sa / o.so, B = swapped ? o.sa / o.so : sign < 0 ? -B0 : B0;
  const auto za = static_cast<float>(swapped ? o.zb : o.za), zb = static_cast<float>(swapped ? o.za : o.zb), zo = static_cast<float>(o.zo);
  const float Az = A * za, Bz = B * zb;
  const float F = fma ? zo - fused(A, za, Bz) : zo - (Az + Bz);
  return each(o, {}, [&](bool, std::int64_t first, std::int64_t second, Events& events) {
    const auto a = static_cast<float>(swapped ? second : first), b = static_cast<float>(swapped ? first : second);
    float v;
    if (fma) {
      v = fused(a, A, fused(b, B, F));
    } else {
      const float aA = a * A, bB = b * B;
      const float x = constant ? F + bB : F + aA;
      v = x + (constant ? aA : bB);
    }
    const std::int64_t r = cvtps2dq(v);
    if (std::fabs(v) < 0x1p30f && to_integer(static_cast<double>(v), Rounding::half_even).lost == Lost::half) events |= event::tie;
    return clamped(saturate(r, 16), o.range, events);
  });
}

/// Arm Compute Library. ra = sa/so, rb = sb/so, F = fma(-rb, zb, fma(-ra, za, zo)). Ratios of at most 15 whose sum fits 21 bits are
/// fixed point of 11: s = a * M(ra) + b * M(rb) + M(F), M(r) = round(2048 r), half away; 3 bits go, half up, what is
/// left saturates at 16 bits (of uint8 unsigned ones), and 8 more go, half up. Else, in vectors of 16, v = (F + a*ra) + b*rb, every product
/// rounded, to nearest even; in the rest v = fma(a, ra, b*rb) + F, half away, through int32.
Result run_acl(const Operands& o) {
  const float ra = o.sa / o.so, rb = o.sb / o.so;
  const float F = fused(-rb, static_cast<float>(o.zb), fused(-ra, static_cast<float>(o.za), static_cast<float>(o.zo)));
  const bool is_unsigned = info(o.y.dtype).min == 0;
  const auto magnitude = (ra + rb) * 256.0f + std::fabs(F);
  if (ra <= 15 && rb <= 15 && magnitude <= 1048575.0f) {
    const auto fixed = [](float r) { return to_integer(static_cast<double>(r * 2048.0f), Rounding::half_away).value; };
    const std::int64_t ma = fixed(ra), mb = fixed(rb), offset = fixed(F);
    return each(o, {}, [&](bool, std::int64_t a, std::int64_t b, Events& events) {
      const auto first = static_cast<std::int64_t>(shift_right(a * ma + b * mb + offset, 3, Rounding::half_up).value);
      const Rounded r = shift_right(is_unsigned ? std::clamp<std::int64_t>(first, 0, 65535) : saturate(first, 16), 8, Rounding::half_up);
      if (r.lost == Lost::half) events |= event::tie;
      return clamped(static_cast<std::int64_t>(r.value), o.range, events);
    });
  }
  const auto strides = memory_strides(o.y.shape, o.a.memory_layout);
  return each(o, vector_body(o.y.shape, {strides, strides, strides}, 16), [&](bool in_vector, std::int64_t a, std::int64_t b, Events& events) {
    const auto x = static_cast<float>(a), w = static_cast<float>(b);
    const float wb = w * rb, xa = x * ra, from_offset = F + xa, both = fused(x, ra, wb), v = in_vector ? from_offset + wb : both + F;
    if (std::isnan(v)) return clamped(0, o.range, events);
    if (!(std::fabs(v) < 0x1p61f)) {
      events |= event::saturated;
      return clamped(in_vector ? (v < 0 ? std::numeric_limits<std::int32_t>::min() : std::numeric_limits<std::int32_t>::max()) : v >= 0x1p63f ? -1 : 0, o.range, events);
    }
    const RoundedInteger r = to_integer(static_cast<double>(v), in_vector ? Rounding::half_even : Rounding::half_away);
    if (r.lost == Lost::half) events |= event::tie;
    return clamped(in_vector ? r.value : wrap32(r.value), o.range, events);
  });
}

/// A number out of a cell.
int number(const Cell& cell, const std::string& key, const std::string& fallback) {
  int n = 0;
  const std::string text = cell.get(key, fallback);
  std::from_chars(text.data(), text.data() + text.size(), n);
  return n;
}

/// with "vectors": in whole vectors of a span the inputs are scaled in one step, by "inputs" one_rounding or floor, and the
/// result goes through 16 bits: it saturates, and adding the zero point wraps.
Result run_gemmlowp(const Cell& cell, const Operands& o, int sign) {
  const FixedRule rule = cell.get("fixed", "double_away") == "single" ? FixedRule::single : FixedRule::double_away;
  const int left = number(cell, "left", "20");
  const int vectors = number(cell, "vectors", "0");
  const auto body = vectors > 0 ? vector_body(o.y.shape, {strides_of(o.y.shape), stored_strides(o.a, o.y.shape), stored_strides(o.b, o.y.shape)}, vectors) : std::vector<char>();
  const bool floors = cell.get("inputs", "one_rounding") == "floor";
  const double twice = static_cast<double>(2 * std::max(o.sa, o.sb));
  const auto ma = quantize_multiplier(static_cast<double>(o.sa) / twice), mb = quantize_multiplier(static_cast<double>(o.sb) / twice);
  const auto mo = quantize_multiplier(twice / (static_cast<double>(std::int64_t{1} << left) * static_cast<double>(o.so)));
  const auto at_once = [&](std::int64_t x, FixedMultiplier m) -> std::int64_t {  // ratios are at most 1/2: m.shift <= 0
    const int shift = floors ? left : left + m.shift;
    const std::int64_t shifted = shift < 0 ? x >> std::min(-shift, 31) : x * (std::int64_t{1} << shift);
    const std::int64_t y = doubling_high_multiply(wrap32(shifted), m.m);
    return floors ? y >> std::min(-m.shift, 31) : y;
  };
  return each(o, body, [&](bool in_vector, std::int64_t a, std::int64_t b, Events& events) {
    bool tie = false, wrapped = false, ignored = false;
    const std::int64_t x = in_vector ? at_once(a - o.za, ma) : multiply_fixed(rule, (a - o.za) * (std::int64_t{1} << left), ma, ignored, wrapped);
    const std::int64_t w = in_vector ? at_once(b - o.zb, mb) : multiply_fixed(rule, (b - o.zb) * (std::int64_t{1} << left), mb, ignored, wrapped);
    const std::int64_t v = multiply_fixed(rule, x + sign * w, mo, tie, wrapped);
    const std::int64_t moved = (in_vector ? saturate(v, 16) : v) + o.zo, y = in_vector ? wrap(moved, 16) : moved;
    if (tie) events |= event::tie;
    if (wrapped || y != moved) events |= event::wrapped;
    return clamped(y, o.range, events);
  });
}

}  // namespace

void check_sum(const Layer& layer) {
  for (const char* port : {"a", "b"}) {
    const Tensor& t = layer.in(port);
    if (is_float(t.dtype) || info(t.dtype).bits > 16 || t.q.scale.size() != 1)
      throw Error(layer.place + ": input \"" + port + "\"", "found " + std::string(name(t.dtype)) + " with " + std::to_string(t.q.scale.size()) + " scales, expected an integer type of at most 16 bits and one scale");
  }
  const Tensor& y = layer.out();
  if (is_float(y.dtype) || y.q.scale.size() != 1) throw Error(layer.place + ": output \"y\"", "found " + std::string(name(y.dtype)) + " with " + std::to_string(y.q.scale.size()) + " scales, expected an integer type and one scale");
  expect_shape(layer, "y", broadcast_shape(layer, layer.in("a").shape, layer.in("b").shape));
  activated_range(layer, y);
}

Result run_sum(const Layer& layer, const Cell& cell, int sign) {
  const Operands o = read(layer, cell);
  if (cell.rule == "fixed22_away") return run_fixed(layer, o, 22, Rounding::half_away, sign);
  if (cell.rule == "fixed21_up") return run_fixed(layer, o, 21, Rounding::half_up, sign);
  if (cell.rule == "mlas") return run_mlas(layer, cell, o, sign);
  if (cell.rule == "gemmlowp") return run_gemmlowp(cell, o, sign);
  if (cell.rule == "acl") return run_acl(o);
  return run_aten(layer, cell, o, sign);
}

Real real_sum(const Layer& layer, int sign) {
  const Tensor &a = layer.in("a"), &b = layer.in("b"), &y = layer.out();
  const auto ia = std::make_shared<const std::vector<std::int64_t>>(broadcast_index(a.shape, y.shape)), ib = std::make_shared<const std::vector<std::int64_t>>(broadcast_index(b.shape, y.shape));
  return pointwise(y.size(), [&a, &b, ia, ib, sign]<class T>(std::int64_t i) -> T {
    const auto at = static_cast<std::size_t>(i);
    const T x = dequantized<T>(a, (*ia)[at]), w = dequantized<T>(b, (*ib)[at]);
    return sign < 0 ? x - w : x + w;
  });
}

namespace {

/// M of near_doubt().
double sum_of_magnitudes(const Layer& layer) {
  return 255 * (layer.in("a").q.scale_of(0) + layer.in("b").q.scale_of(0)) / layer.out().q.scale_of(0) + 512;
}

/// Whether every rounding that the cell's aten kernel may use is to the nearest integer.
bool rounds_to_nearest(const Cell& cell) {
  static constexpr std::array<std::string_view, 8> nearest{"inside_fused", "inside", "inside_wrap", "outside", "outside_int64", "divide_even", "divide_even_wrap", "inside_f64"};
  const auto known = [&](const std::string& rule) { return std::find(nearest.begin(), nearest.end(), rule) != nearest.end(); };
  return known(cell.get("tail", "outside")) && known(cell.get("all", "outside"));
}

}  // namespace

double float_sum_doubt(const Layer& layer) { return 16 * sum_of_magnitudes(layer) * 0x1p-24; }

double near_doubt(const Layer& layer, const Cell& cell) {
  const Tensor &a = layer.in("a"), &b = layer.in("b"), &y = layer.out();
  for (const Tensor* t : {&a, &b, &y})
    if (info(t->dtype).bits > 8 || t->q.scale.size() != 1 || t->q.zero_point_of(0) < -128 || t->q.zero_point_of(0) > 255 || t->q.scale_of(0) < 0x1p-60 || t->q.scale_of(0) > 0x1p60) return HUGE_VAL;
  if (layer.attributes.has("activation") && !(std::holds_alternative<std::string>(layer.attributes.values.at("activation")) && layer.attributes.text("activation") == "none")) return HUGE_VAL;
  const double most = sum_of_magnitudes(layer);
  if (!(most <= 0x1p13)) return HUGE_VAL;
  if (cell.rule == "gemmlowp") return cell.get("left", "20") == "20" ? sum_doubt : HUGE_VAL;
  if (cell.rule == "aten") return rounds_to_nearest(cell) ? float_sum_doubt(layer) : HUGE_VAL;
  if (cell.rule == "mlas") return float_sum_doubt(layer);
  return cell.rule == "fixed22_away" || cell.rule == "fixed21_up" ? most * 0x1p-19 : HUGE_VAL;
}

void facts_of_sum(const Layer& layer, std::set<std::string>& f) {
  const Tensor &a = layer.in("a"), &b = layer.in("b"), &y = layer.out();
  if (a.shape != b.shape) f.insert("broadcast");
  if (a.shape == b.shape && !a.shape.empty()) f.insert("alike");
  const auto ratio = [&](const Tensor& t) { return static_cast<float>(t.q.scale_of(0)) / static_cast<float>(y.q.scale_of(0)); };
  const auto fits = [](float r) { return r >= 0x1p-14f && r < 0x1p8f; };
  if (a.q.quantized() && b.q.quantized() && y.q.quantized() && fits(ratio(a)) && fits(ratio(b))) f.insert("fixed22");
  // A broadcaster walks spans of the innermost axes; one operand is constant along a span when its own innermost extents are 1.
  const auto constant = [&](const Tensor& t, const Tensor& other) {
    for (std::size_t k = 1; k <= std::max(t.shape.size(), other.shape.size()); ++k) {
      const std::int64_t mine = k <= t.shape.size() ? t.shape[t.shape.size() - k] : 1, theirs = k <= other.shape.size() ? other.shape[other.shape.size() - k] : 1;
      if (mine != 1) return false;
      if (theirs != 1) return true;
    }
    return false;
  };
  if (constant(a, b)) f.insert("scalar:a");
  if (constant(b, a)) f.insert("scalar:b");
  if (y.q.quantized() && y.q.integer_zero_point() == info(y.dtype).max) f.insert("y_zero_point:max");
}

}  // namespace lastbit
