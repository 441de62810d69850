// aten_kernel.cpp: see aten_kernel.hpp.
#include "lib/rules/aten_kernel.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "lib/error.hpp"
#include "lib/num/float.hpp"
#include "lib/rules/pointwise.hpp"
#include "lib/rules/tensor_iterator.hpp"

namespace lastbit {
namespace {

std::int64_t clamped(std::int64_t v, Range r, Events& events) {
  if (v < r.min || v > r.max) events |= event::clamped;
  return std::clamp(v, r.min, r.max);
}

std::int32_t nearest(float v, Events& events) {
  if (v >= -2147483648.0f && v < 2147483648.0f) {
    if (to_integer(static_cast<double>(v), Rounding::half_even).lost == Lost::half) events |= event::tie;
  } else {
    events |= event::saturated;
  }
  return cvtps2dq(v);
}

float step_ulp(float v, int n) {
  for (; n > 0; --n) v = std::nextafter(v, std::numeric_limits<float>::infinity());
  for (; n < 0; ++n) v = std::nextafter(v, -std::numeric_limits<float>::infinity());
  return v;
}

}  // namespace

AtenKernel::AtenKernel(const Layer& layer, const Cell& cell, const Tensor& y)
    : block_(0), fused_(cell.get("dequantize", "fma") == "fma"), tail_(quantize_rule(cell.get("tail", "outside"), layer.place)),
      scale_(y.q.quantized() ? y.q.scale_of(0) : 1.0), zero_point_(y.q.integer_zero_point()), range_(stored_range(y)) {
  const std::string block = cell.get("vector", "0");
  std::from_chars(block.data(), block.data() + block.size(), block_);
  if (const std::string all = cell.get("all"); !all.empty()) all_ = quantize_rule(all, layer.place);
  if (const std::string own = cell.get("vector_rule"); !own.empty()) vector_rule_ = quantize_rule(own, layer.place);
  inverse_ = cell.get("inverse", "f32") == "f64" ? static_cast<float>(1.0 / scale_) : inverse(static_cast<float>(scale_));
}

float AtenKernel::dequantize(const Tensor& t, std::int64_t q, bool body) const {
  const float s = static_cast<float>(t.q.scale_of(0));
  const std::int64_t z = t.q.integer_zero_point();
  if (body && fused_) return fused(s, static_cast<float>(q), s * -static_cast<float>(z));
  return s * static_cast<float>(q - z);
}

std::int64_t AtenKernel::quantize(float v, bool body, Events& events) const {
  if (all_) return quantize_value(*all_, v, scale_, static_cast<double>(zero_point_), range_, events);
  if (body && vector_rule_) return quantize_value(*vector_rule_, v, scale_, static_cast<double>(zero_point_), range_, events);
  return body ? quantize_vector(v, inverse_, zero_point_, range_, events) : quantize_value(tail_, v, scale_, static_cast<double>(zero_point_), range_, events);
}

std::int64_t quantize_vector(float v, float inverse, std::int64_t zero_point, Range range, Events& events) {
  const float scaled = v * inverse;
  const float t = scaled < 2147483520.0f ? scaled : 2147483520.0f;  // minps: NaN becomes the bound
  return clamped(wrap32(std::int64_t{nearest(t, events)} + zero_point), range, events);
}

std::int64_t requantize_from_int(std::int64_t acc, float multiplier, std::int64_t zero_point, bool body, Range range, Events& events) {
  const float v = body ? static_cast<float>(acc) * multiplier : static_cast<float>(static_cast<double>(acc) * static_cast<double>(multiplier));
  return clamped(std::int64_t{nearest(v, events)} + zero_point, range, events);
}

Result map_values(const Tensor& x, const Shape& shape, const std::vector<char>& body, const std::function<Mapped(std::int64_t, bool)>& value) {
  Result r;
  Computed& y = r.outputs["y"] = quantized_output(shape);
  const auto& type = info(x.dtype);
  ensure(type.bits <= 16, "a table over values of more than 16 bits");
  const auto span = static_cast<std::size_t>(type.max - type.min + 1);
  std::vector<std::optional<Mapped>> known(2 * span);
  const auto q = x.i32();
  for (std::size_t i = 0; i < q.size(); ++i) {
    const bool in_body = !body.empty() && body[i];
    auto& m = known[static_cast<std::size_t>(q[i] - type.min) + (in_body ? span : 0)];
    if (!m) m = value(q[i], in_body);
    y.q[i] = m->q;
    y.events[i] = m->events;
    if (m->open && m->lo != m->hi) {
      y.undefined.push_back({static_cast<std::int64_t>(i), static_cast<double>(m->lo), static_cast<double>(m->hi)});
      y.events[i] |= event::undefined;
    }
  }
  return r;
}

Result map_values(const Tensor& x, const Shape& shape, const std::function<Mapped(std::int64_t)>& value) {
  return map_values(x, shape, {}, [&](std::int64_t q, bool) { return value(q); });
}

Result aten_activation(const Layer& layer, const Cell& cell, const std::function<float(float, bool)>& f, const std::function<int(float)>& slack) {
  const Tensor& x = layer.in("x");
  const Tensor& y = layer.out();
  const AtenKernel kernel(layer, cell, y);
  const auto out_strides = memory_strides(y.shape, y.memory_layout.empty() ? x.memory_layout : y.memory_layout);
  return map_values(x, y.shape, vector_body(x.shape, {out_strides, memory_strides(x)}, kernel.block()), [&](std::int64_t q, bool body) {
    Mapped m;
    const float real = kernel.dequantize(x, q, body), v = f(real, body);
    m.q = static_cast<std::int32_t>(kernel.quantize(v, body, m.events));
    if (const int ulps = body ? 0 : slack(real)) {
      Events ignored = 0;
      m.lo = static_cast<std::int32_t>(kernel.quantize(step_ulp(v, -ulps), body, ignored));
      m.hi = static_cast<std::int32_t>(kernel.quantize(step_ulp(v, ulps), body, ignored));
      m.open = true;
    }
    return m;
  });
}

}  // namespace lastbit
