// softmax: y = exp(beta * x) / sum over dim of exp(beta * x)
#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "lib/error.hpp"
#include "lib/num/fixed.hpp"
#include "lib/num/float.hpp"
#include "lib/rules/gemmlowp.hpp"
#include "lib/rules/int16_table.hpp"
#include "lib/rules/limits.hpp"
#include "lib/rules/pointwise.hpp"
#include "lib/rules/quantize_value.hpp"

namespace lastbit::ops {
namespace {

std::size_t axis(const Layer& layer) {
  const std::int64_t rank = layer.in("x").rank(), dim = layer.attributes.integer("dim", -1);
  if (rank == 0 || dim < -rank || dim >= rank) throw Error(layer.place + ": attribute \"dim\"", "found " + std::to_string(dim) + " for " + std::to_string(rank) + " axes, expected one of them");
  return static_cast<std::size_t>(dim < 0 ? dim + rank : dim);
}

float beta_of(const Layer& layer) { return static_cast<float>(layer.attributes.number("beta", 1.0)); }

void check(const Layer& layer) {
  check_activation(layer);
  axis(layer);
  if (!(beta_of(layer) > 0 && std::isfinite(beta_of(layer)))) throw Error(layer.place + ": attribute \"beta\"", "found " + std::to_string(layer.attributes.number("beta", 1.0)) + ", expected a positive number");
}

/// One row: its elements lie at first, first + step, ...
struct Row {
  std::size_t first, step, length;
  std::size_t at(std::size_t k) const { return first + k * step; }
};

std::int32_t largest(const std::vector<std::int32_t>& q, const Row& row) {
  std::int32_t top = q[row.at(0)];
  for (std::size_t k = 1; k < row.length; ++k) top = std::max(top, q[row.at(k)]);
  return top;
}

template <class F>
void each_row(const Tensor& x, std::size_t dim, F f) {
  const auto length = static_cast<std::size_t>(x.shape[dim]);
  const auto step = static_cast<std::size_t>(strides_of(x.shape)[dim]);
  if (length == 0) return;
  const std::size_t n = static_cast<std::size_t>(x.size());
  for (std::size_t outer = 0; outer < n; outer += step * length)
    for (std::size_t inner = 0; inner < step; ++inner) f(Row{outer + inner, step, length});
}

/// A function of how far a value lies below its row's largest; of bytes, each difference's value is made once.
template <class T>
class OfDifference {
 public:
  template <class F>
  OfDifference(const Tensor& x, F f) : f_(std::move(f)), known_(info(x.dtype).bits <= 8 ? 256 : 0) {}
  T operator()(std::int64_t d) const {
    if (known_.empty()) return f_(d);
    auto& k = known_[static_cast<std::size_t>(-d)];
    if (!k) k = f_(d);
    return *k;
  }

 private:
  std::function<T(std::int64_t)> f_;
  mutable std::vector<std::optional<T>> known_;
};

/// A float softmax of unknown order between dequantize and quantize: float64, and an interval where `slack` ulp of float32
/// decide. A term's error grows with its exponent's (|x| half-ulps), the sum's with the row.
Result run_float(const Layer& layer, const Cell& cell) {
  const Tensor &x = layer.in("x"), &out = layer.out();
  const QuantizeRule rule = quantize_rule(cell.get("rounding", "outside"), layer.place);
  const Range range = stored_range(out);
  const auto q = x.i32();
  const float scale = static_cast<float>(x.q.scale_of(0));
  const std::int64_t z = x.q.integer_zero_point();
  const double so = out.q.scale_of(0), zo = out.q.zero_point_of(0);
  Result r;
  Computed& y = r.outputs["y"] = quantized_output(out.shape);
  const std::string rounding = cell.get("rounding", "outside");
  const bool named = rounding.find('/') == std::string::npos, divides = rounding != "multiply_away";  // a named rule rounds to nearest
  std::vector<double> e;
  const auto real = [&](std::int32_t v) { return scale * static_cast<float>(v - z); };
  const auto exponential = [&](std::int32_t v, std::int32_t top) {
    const float difference = real(v) - real(top);
    return std::exp(static_cast<double>(difference));
  };
  // Bytes have few pairs of a value and a top, and rows many of each: 0 stands for one that was not asked for yet (or is 0).
  const bool few = info(x.dtype).bits <= 8 && x.size() >= 1 << 14;
  std::vector<double> known(few ? 1 << 16 : 0);
  const auto term = [&](std::int32_t v, std::int32_t top) {
    if (!few) return exponential(v, top);
    double& k = known[static_cast<std::size_t>((top & 0xFF) << 8 | (v & 0xFF))];
    if (k == 0) k = exponential(v, top);
    return k;
  };
  each_row(x, axis(layer), [&](const Row& row) {
    e.assign(row.length, 0);
    const std::int32_t top = largest(q, row);
    double sum = 0;
    for (std::size_t k = 0; k < row.length; ++k) {
      e[k] = term(q[row.at(k)], top);
      sum += e[k];
    }
    const double terms = 6.0 + std::log2(static_cast<double>(row.length) + 1);
    for (std::size_t k = 0; k < row.length; ++k) {
      const std::size_t i = row.at(k);
      const double p = e[k] / sum;
      y.q[i] = static_cast<std::int32_t>(quantize_value(rule, static_cast<float>(p), so, zo, range, y.events[i]));
      const double slack = p * 0x1p-24 * terms;
      if (divides) {  // farther from a boundary than the slack and the rule's own roundings, all three are one
        const double v = p / so + zo, over = v - std::floor(v), doubt = slack / so + 0x1p-10;
        if (std::fabs(v) < 1024 && std::fabs(over - 0.5) > doubt && (named || (over > doubt && 1 - over > doubt))) continue;
      }
      Events ignored = 0;
      const auto lo = quantize_value(rule, static_cast<float>(p - slack), so, zo, range, ignored), hi = quantize_value(rule, static_cast<float>(p + slack), so, zo, range, ignored);
      if (lo != hi) {
        y.undefined.push_back({static_cast<std::int64_t>(i), static_cast<double>(lo), static_cast<double>(hi)});
        y.events[i] |= event::undefined;
      }
    }
  });
  std::sort(y.undefined.begin(), y.undefined.end(), [](const Interval& a, const Interval& b) { return a.index < b.index; });
  return r;
}

/// QNNPACK: t[i] = rne(min((2^32 - 1) / C, 8388607) * exp((i - 255) * si)), i = x - max + 255;
/// y = min(255, floor((256 t + floor(sum / 2)) / sum)).
Result run_qnnpack(const Layer& layer) {
  const Tensor &x = layer.in("x"), &out = layer.out();
  const auto q = x.i32();
  const std::size_t dim = axis(layer);
  const double si = x.q.scale_of(0), most = std::min(4294967295.0 / static_cast<double>(x.shape[dim]), 8388607.0);
  std::array<std::int64_t, 256> table{};
  for (int i = 0; i < 256; ++i) table[static_cast<std::size_t>(i)] = rne(most * std::exp((i - 255) * si));
  Result r;
  Computed& y = r.outputs["y"] = quantized_output(out.shape);
  each_row(x, dim, [&](const Row& row) {
    const std::int32_t top = largest(q, row);
    const auto t = [&](std::size_t k) { return table[static_cast<std::size_t>(q[row.at(k)] - top + 255)]; };
    std::int64_t sum = 0;
    for (std::size_t k = 0; k < row.length; ++k) sum += t(k);
    for (std::size_t k = 0; k < row.length; ++k) y.q[row.at(k)] = static_cast<std::int32_t>(std::min<std::int64_t>(255, ((t(k) << 8) + (sum >> 1)) / sum));
  });
  return r;
}

/// ONNX Runtime: t[i] = f32(exp((i - 255 + shift) * sx)), shift = max(0, f32(ln(f32(FLT_MAX / D))) - 5) / sx, i = x - max + 255;
/// y = rne(f32(f32(t * floor(1 / sy)) / sum)) + zy, summed in order in float32. Where t * floor(1 / sy) overflows (one row of one
/// element and sy below 1 / 148), the conversion leaves 0 in uint8 and INT_MIN in int8; on ARM INT_MAX; there uint8 takes the low
/// byte of the wrapping sum with the zero point, but 255 where that does not wrap.
Result run_mlas(const Layer& layer, const Cell& cell) {
  const Tensor &x = layer.in("x"), &out = layer.out();
  const auto q = x.i32();
  const std::size_t dim = axis(layer);
  const bool is_signed = x.dtype == DType::int8, order_known = cell.get("order", "known") == "known", saturates = cell.get("conversion") == "saturate";
  const auto sx = static_cast<float>(x.q.scale_of(0));
  const float per_row = std::numeric_limits<float>::max() / static_cast<float>(x.shape[dim]);
  const double shift = std::max(0.0, static_cast<double>(static_cast<float>(std::log(static_cast<double>(per_row)))) - 5.0) / static_cast<double>(sx);
  std::array<float, 256> table{};
  for (int i = 0; i < 256; ++i) table[static_cast<std::size_t>(i)] = static_cast<float>(std::exp((static_cast<double>(i) - 255 + shift) * static_cast<double>(sx)));
  const float steps = std::floor(1.0f / static_cast<float>(out.q.scale_of(0)));
  const std::int64_t zo = out.q.integer_zero_point();
  const Range range = stored_range(out);
  const auto stored = [&](float v, Events& events) -> std::int32_t {
    std::int64_t n = saturates ? std::numeric_limits<std::int32_t>::max() : is_signed ? std::numeric_limits<std::int32_t>::min() : 0;
    if (v < 0x1p31f) {
      const RoundedInteger r = to_integer(static_cast<double>(v), Rounding::half_even);
      if (r.lost == Lost::half) events |= event::tie;
      n = r.value;
    } else {
      events |= event::saturated;
      if (saturates && !is_signed) return zo == 0 ? 255 : static_cast<std::int32_t>(wrap32(n + zo) & 0xFF);
    }
    const std::int64_t moved = wrap32(n + zo);
    if (moved < range.min || moved > range.max) events |= event::clamped;
    return static_cast<std::int32_t>(std::clamp(moved, range.min, range.max));
  };
  Result r;
  Computed& y = r.outputs["y"] = quantized_output(out.shape);
  each_row(x, dim, [&](const Row& row) {
    const std::int32_t top = largest(q, row);
    const auto t = [&](std::size_t k) { return table[static_cast<std::size_t>(q[row.at(k)] - top + 255)]; };
    float sum = 0;
    for (std::size_t k = 0; k < row.length; ++k) sum += t(k);
    for (std::size_t k = 0; k < row.length; ++k) {
      const std::size_t i = row.at(k);
      const float scaled = t(k) * steps, v = scaled / sum;
      y.q[i] = stored(v, y.events[i]);
      if (order_known) continue;
      Events ignored = 0;
      const float slack = v * 0x1p-24f * static_cast<float>(row.length + 4);
      const std::int32_t lo = stored(v - slack, ignored), hi = stored(v + slack, ignored);
      if (lo != hi) y.undefined.push_back({static_cast<std::int64_t>(i), static_cast<double>(std::min(lo, hi)), static_cast<double>(std::max(lo, hi))}), y.events[i] |= event::undefined;
    }
  });
  std::sort(y.undefined.begin(), y.undefined.end(), [](const Interval& a, const Interval& b) { return a.index < b.index; });
  return r;
}

/// TFLite reference, 8 bits: d = q - max; terms below the radius of Q5.26 are dropped; e^d in Q0.31 by gemmlowp, summed in Q12.19;
/// y = halved(1 / sum * e) + qmin   (reference/softmax.h)
Result run_gemmlowp(const Layer& layer) {
  const Tensor &x = layer.in("x"), &out = layer.out();
  const auto q = x.i32();
  const double real = std::min(static_cast<double>(beta_of(layer)) * x.q.scale_of(0) * 0x1p26, 2147483647.0);
  const FixedMultiplier by = quantize_multiplier(real);
  if (by.shift < 0 || by.shift > 31) throw Error(layer.place, "found beta * scale of " + std::to_string(real * 0x1p-26) + ", expected more than 2^-26");
  const std::int64_t least = -static_cast<std::int64_t>(std::floor(31.0 * 0x1p26 / static_cast<double>(std::int64_t{1} << by.shift)));
  const OfDifference<std::int64_t> exponential(layer.in("x"), [&](std::int64_t d) -> std::int64_t {
    return gemmlowp::exp_on_negative_values(doubling_high_multiply(wrap32(d * (std::int64_t{1} << by.shift)), by.m), 5, 32);
  });
  const Range range = stored_range(out);
  Result r;
  Computed& y = r.outputs["y"] = quantized_output(out.shape);
  std::vector<std::int64_t> e;
  each_row(x, axis(layer), [&](const Row& row) {
    const std::int32_t top = largest(q, row);
    e.assign(row.length, -1);
    std::int64_t sum = 0;
    for (std::size_t k = 0; k < row.length; ++k) {
      const std::int64_t d = q[row.at(k)] - top;
      if (d < least) continue;
      e[k] = exponential(d);
      sum = wrap32(sum + divide_by_power_of_two(static_cast<std::int32_t>(e[k]), 12));
    }
    const auto scale = gemmlowp::reciprocal(sum, 12);
    const int exponent = scale.bits_over_unit + 31 - 8;
    for (std::size_t k = 0; k < row.length; ++k) {
      const std::size_t i = row.at(k);
      const std::int64_t v = e[k] < 0 ? 0 : static_cast<std::int64_t>(shift_right(gemmlowp::multiply(scale.scale, e[k], 32), exponent, Rounding::half_away).value);
      y.q[i] = static_cast<std::int32_t>(std::clamp(v + info(out.dtype).min, range.min, range.max));
    }
  });
  return r;
}

/// f32(exp(f32(-(si * beta) * k))) of every distance k below a row's largest byte.
std::array<float, 256> exponentials(const Layer& layer) {
  const float step = static_cast<float>(layer.in("x").q.scale_of(0)) * beta_of(layer);
  std::array<float, 256> e{};
  for (int k = 0; k < 256; ++k) {
    const float power = step * static_cast<float>(-k);
    e[static_cast<std::size_t>(k)] = static_cast<float>(std::exp(static_cast<double>(power)));
  }
  return e;
}

/// TFLite optimized, 8 bits: t[k] = f32(exp(f32(-si * beta) * k)), k = max - q; y = t * f32(1 / f32(sum * so)), rounded half away
/// (uint8: cut after adding 1/2) + zo.
Result run_float_table(const Layer& layer) {
  const Tensor &x = layer.in("x"), &out = layer.out();
  const auto q = x.i32();
  const float so = static_cast<float>(out.q.scale_of(0));
  const auto table = exponentials(layer);
  const Range range = stored_range(out);
  const std::int64_t zo = out.q.integer_zero_point();
  Result r;
  Computed& y = r.outputs["y"] = quantized_output(out.shape);
  each_row(x, axis(layer), [&](const Row& row) {
    const std::int32_t top = largest(q, row);
    const auto t = [&](std::size_t k) { return table[static_cast<std::size_t>(top - q[row.at(k)])]; };
    float sum = 0;
    for (std::size_t k = 0; k < row.length; ++k) sum += t(k);
    const float scaled = sum * so, inverse_sum = 1.0f / scaled;
    for (std::size_t k = 0; k < row.length; ++k) {
      const std::size_t i = row.at(k);
      const float p = t(k) * inverse_sum;
      const std::int64_t v = out.dtype == DType::uint8 ? to_integer(static_cast<double>(p + 0.5f), Rounding::to_zero).value : to_integer(static_cast<double>(p), Rounding::half_away).value + zo;
      y.q[i] = static_cast<std::int32_t>(std::clamp(v, range.min, range.max));
    }
  });
  return r;
}

/// TFLite optimized on ARM, 8 bits: t[k] = min(65535, floor(f32(exp(f32(f32(si * beta) * -k))) * 65535 + 1/2)), k = max - q, the
/// product in float32, the sum with 1/2 in float64; S = sum of t in int32; y = t times the fixed-point multiplier of
/// f32(1 / f32(f32(S) * so)), halved twice, + zo. NEON looks the table up in two halves of a byte (uint16), which changes nothing,
/// and rounds half up where its tail rounds half away: t is not negative.   optimized_ops.h, SoftmaxInt8LUT
Result run_uint16_table(const Layer& layer) {
  const Tensor &x = layer.in("x"), &out = layer.out();
  const auto q = x.i32();
  const float so = static_cast<float>(out.q.scale_of(0));
  std::array<std::int64_t, 256> table{};
  std::ranges::transform(exponentials(layer), table.begin(), [](float e) {
    const float scaled = e * 65535.0f;
    return std::min<std::int64_t>(65535, to_integer(static_cast<double>(scaled) + 0.5, Rounding::to_zero).value);
  });
  const Range range = stored_range(out);
  const std::int64_t zo = out.q.integer_zero_point();
  Result r;
  Computed& y = r.outputs["y"] = quantized_output(out.shape);
  each_row(x, axis(layer), [&](const Row& row) {
    const std::int32_t top = largest(q, row);
    const auto t = [&](std::size_t k) { return table[static_cast<std::size_t>(top - q[row.at(k)])]; };
    std::int64_t sum = 0;
    for (std::size_t k = 0; k < row.length; ++k) sum += t(k);
    if (sum > std::numeric_limits<std::int32_t>::max()) throw Error(layer.place, "found a row of " + std::to_string(row.length) + " elements whose exponentials do not fit int32, expected a shorter one");
    const float scaled = static_cast<float>(sum) * so, inverse_sum = 1.0f / scaled;
    const FixedMultiplier by = quantize_multiplier(static_cast<double>(inverse_sum));
    for (std::size_t k = 0; k < row.length; ++k) {
      const std::size_t i = row.at(k);
      bool tie = false, wrapped = false;
      const std::int64_t v = multiply_fixed(FixedRule::double_away, t(k), by, tie, wrapped) + zo;
      if (tie) y.events[i] |= event::tie;
      if (wrapped) y.events[i] |= event::wrapped;
      if (v < range.min || v > range.max) y.events[i] |= event::clamped;
      y.q[i] = static_cast<std::int32_t>(std::clamp(v, range.min, range.max));
    }
  });
  return r;
}

/// TFLite, int16: d = (q - max) rescaled so that -10 is -65535; e^d and 1 / (1 + x) from tables of 513 entries; one half-up shift.
Result run_int16(const Layer& layer) {
  const Tensor &x = layer.in("x"), &out = layer.out();
  const auto q = x.i32();
  const float product = static_cast<float>(x.q.scale_of(0)) * beta_of(layer);
  const FixedMultiplier by = quantize_multiplier(static_cast<double>(product) / (10.0 / 65535.0));
  static const Table512 exponential = exp_table(), inverse_table = one_over_one_plus_table();
  Result r;
  Computed& y = r.outputs["y"] = quantized_output(out.shape);
  std::vector<std::int32_t> e;
  each_row(x, axis(layer), [&](const Row& row) {
    const std::int32_t top = largest(q, row);
    e.assign(row.length, 0);
    std::int64_t sum = 0;
    bool tie = false, wrapped = false;
    for (std::size_t k = 0; k < row.length; ++k) {
      const std::int64_t d = multiply_fixed(FixedRule::double_away, q[row.at(k)] - top, by, tie, wrapped);
      e[k] = exponential(static_cast<std::int32_t>(std::clamp<std::int64_t>(d + 32767, -32768, 32767)));
      sum = wrap32(sum + e[k]);
    }
    if (sum <= 0) throw Error(layer.place, "found a row of " + std::to_string(row.length) + " elements whose exponentials do not fit int32, expected a shorter one");
    const int headroom = std::countl_zero(static_cast<std::uint32_t>(sum));
    const std::int64_t shifted = ((sum << (headroom - 1)) + (1 << 13)) >> 14;
    const std::int32_t reciprocal = inverse_table(static_cast<std::int32_t>(std::clamp<std::int64_t>(shifted - 32768 - 65536, -32768, 32767)));
    for (std::size_t k = 0; k < row.length; ++k) {
      const std::int64_t v = (std::int64_t{e[k]} * reciprocal + (std::int64_t{1} << (30 - headroom))) >> (31 - headroom);
      y.q[row.at(k)] = static_cast<std::int32_t>(std::clamp<std::int64_t>(v, 0, 32767));
    }
  });
  return r;
}

Result run(const Layer& layer, const Cell& cell) {
  const int bits = info(layer.in("x").dtype).bits;
  if (cell.rule == "gemmlowp" || cell.rule == "float_table" || cell.rule == "uint16_table" || cell.rule == "int16") {
    if (bits != (cell.rule == "int16" ? 16 : 8)) throw Error(layer.place, "found " + std::string(name(layer.in("x").dtype)) + ", expected " + (cell.rule == "int16" ? "16" : "8") + " bits for the rule " + cell.rule);
    if (cell.rule == "uint16_table") return run_uint16_table(layer);
    return cell.rule == "gemmlowp" ? run_gemmlowp(layer) : cell.rule == "int16" ? run_int16(layer) : run_float_table(layer);
  }
  if (cell.rule == "mlas") {
    if (info(layer.in("x").dtype).bits != 8) throw Error(layer.place, "found " + std::string(name(layer.in("x").dtype)) + ", expected uint8 or int8 for the rule mlas");
    return run_mlas(layer, cell);
  }
  if (cell.rule == "qnnpack") {
    if (layer.in("x").dtype != DType::uint8) throw Error(layer.place, "found " + std::string(name(layer.in("x").dtype)) + ", expected uint8 for the rule qnnpack");
    return run_qnnpack(layer);
  }
  return run_float(layer, cell);
}

/// exp((q - top) * scale) of every element over its row's sum; rows are summed once a number type.
template <class T>
std::vector<T> quotients(const Tensor& x, std::size_t dim, T scale) {
  const auto q = x.i32();
  std::vector<T> e(q.size());
  const OfDifference<T> exponential(x, [&](std::int64_t d) { return exp(T(static_cast<std::int32_t>(d)) * scale); });
  each_row(x, dim, [&](const Row& row) {
    const std::int32_t top = largest(q, row);
    T sum = T(0);
    for (std::size_t k = 0; k < row.length; ++k) sum = sum + (e[row.at(k)] = exponential(q[row.at(k)] - top));
    for (std::size_t k = 0; k < row.length; ++k) e[row.at(k)] = e[row.at(k)] / sum;
  });
  return e;
}

Real real(const Layer& layer, const Result&) {
  const Tensor& x = layer.in("x");
  const std::size_t dim = axis(layer);
  const double scale = x.q.scale_of(0);
  const float beta = beta_of(layer);
  Real r;
  r.irrational = true;
  r.f32 = quotients<float>(x, dim, static_cast<float>(scale) * beta);
  r.f64 = quotients<double>(x, dim, scale * static_cast<double>(beta));
  for (const Tracked& t : quotients<Tracked>(x, dim, Tracked(scale) * Tracked(beta))) r.approx.push_back(t.value), r.bound.push_back(t.error);
  const std::int64_t length = x.shape[dim], step = strides_of(x.shape)[dim];
  // Exponentials at 400 bits and sums of rows are kept: whoever asks about one element of a row asks about others.
  struct Kept {
    OfDifference<Exact> exponential;
    std::map<std::int64_t, std::pair<std::int64_t, Exact>> rows;  // by first element: the largest value, the sum
  };
  const Exact s = Exact(scale) * Exact(static_cast<double>(beta));
  const auto kept = std::make_shared<Kept>(Kept{OfDifference<Exact>(x, [s](std::int64_t d) { return exp(Exact(d) * s); }), {}});
  r.exact = [&x, kept, length, step](std::int64_t i) {
    const std::int64_t first = i - i / step % length * step;
    const auto [row, is_new] = kept->rows.try_emplace(first);
    auto& [top, sum] = row->second;
    if (is_new) {
      top = x.integer(first);
      for (std::int64_t k = 1; k < length; ++k) top = std::max(top, x.integer(first + k * step));
      for (std::int64_t k = 0; k < length; ++k) sum += kept->exponential(x.integer(first + k * step) - top);
    }
    return kept->exponential(x.integer(i) - top) / sum;
  };
  return r;
}

void facts(const Layer& layer, std::set<std::string>& f) {
  output_facts(layer, f);
  if (axis(layer) + 1 == layer.in("x").shape.size()) f.insert("last_dim");
}

}  // namespace

Operator softmax() {
  return {.name = "softmax",
          .families = {},
          .formula = "y = exp(beta * x) / sum over dim of exp(beta * x)",
          .inputs = {{"x", "uint8, int8, int16"}},
          .outputs = {{"y", "like x"}},
          .attributes = {{"dim", "integer, -1 when absent"}, {"beta", "number > 0, 1 when absent"}},
          .rules = {"float", "qnnpack", "mlas", "gemmlowp", "float_table", "uint16_table", "int16"},
          .check = check,
          .run = run,
          .real = real,
          .row_axes = [](const Layer& layer, const Cell*) { return axis(layer); },
          .facts = facts};
}

}  // namespace lastbit::ops
