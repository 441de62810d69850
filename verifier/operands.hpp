// operands.hpp: an accumulating layer's operands, number by number where they lie, and the same read otherwise.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "lib/kernels/accumulate.hpp"

namespace lastbit {

/// An operand read otherwise: number i is value(the layer's own at place(i)), or another tensor's number(i). Unset: as it is.
struct Reading {
  std::function<std::int32_t(std::int64_t)> number{};
  std::function<std::int64_t(std::int64_t)> place{};
  std::function<std::int32_t(std::int32_t)> value{};
  std::shared_ptr<const std::array<std::int32_t, 384>> of_byte{};  // value() of -128..255, by OtherOperands

  template <class Own>
  std::int32_t operator()(std::int64_t i, Own own) const {
    if (number) return number(i);
    const std::int32_t v = own(place ? place(i) : i);
    return value ? value(v) : v;
  }
};

/// Operands that changes share: none when it holds nothing. Whole only once they have proved themselves on a few elements.
class OtherOperands {
 public:
  struct Readings {
    Reading x{}, w{};
    std::optional<std::int64_t> x_zero_point{};
    std::optional<double> x_scale{};
    std::optional<std::vector<std::int64_t>> w_zero_point{};
  };
  OtherOperands() = default;
  OtherOperands(Readings r) {
    for (Reading* side : {&r.x, &r.w}) {
      if (!side->value) continue;
      std::array<std::int32_t, 384> all;
      for (std::int32_t v = -128; v < 256; ++v) all[static_cast<std::size_t>(v + 128)] = side->value(v);
      side->of_byte = std::make_shared<const std::array<std::int32_t, 384>>(all);
    }
    readings_ = std::make_shared<const Readings>(std::move(r));
  }
  explicit operator bool() const { return readings_ != nullptr; }
  const Readings& operator*() const { return *readings_; }
  const Readings* operator->() const { return readings_.get(); }

 private:
  std::shared_ptr<const Readings> readings_;
};

/// Numbers of an operand where they lie: bytes of the tensor, or widened ones.
struct OperandView {
  const std::byte* bytes = nullptr;
  bool is_signed = false;
  const std::int32_t* wide = nullptr;

  std::int32_t operator()(std::int64_t i) const {
    if (!bytes) return wide[i];
    const auto v = std::to_integer<std::uint8_t>(bytes[i]);
    return is_signed ? static_cast<std::int8_t>(v) : v;
  }
  /// to[k] = number from + k * step.
  void copy(std::int64_t from, std::int64_t step, std::int64_t n, std::int32_t* to) const {
    const auto all = [&](const auto* v) {
      for (std::int64_t k = 0; k < n; ++k) to[k] = v[from + k * step];
    };
    if (wide) all(wide);
    else if (is_signed) all(reinterpret_cast<const std::int8_t*>(bytes));
    else all(reinterpret_cast<const std::uint8_t*>(bytes));
  }
};

/// The operands of one slot's products, taps ascending, channel fastest: as they are stored, a tap outside with what it is taken for.
struct SlotTerms {
  std::vector<std::int32_t> x, w;
  std::vector<std::int64_t> outside;  // taps
};

/// f(tap, place of x or -1 outside, place of w) over the taps of a slot, channel 0; every further channel's x lies in_positions() on, its w taps() on.
template <class F>
void for_each_tap(const Geometry& g, std::int64_t slot, F f) {
  const std::int64_t P = g.positions(), I = g.in_positions(), C = g.in_channels, O = g.groups * g.out_channels, T = g.taps();
  const std::int64_t p = slot % P, o = slot / P % O, n = slot / P / O, group = o / g.out_channels;
  const std::int64_t ow = p % g.out[2], oh = p / g.out[2] % g.out[1], od = p / g.out[2] / g.out[1];
  for (std::int64_t t = 0; t < T; ++t) {
    const auto d = g.source(0, od, t / (g.kernel[1] * g.kernel[2])), h = g.source(1, oh, t / g.kernel[2] % g.kernel[1]), w = g.source(2, ow, t % g.kernel[2]);
    const bool outside = d < 0 || h < 0 || w < 0;
    f(t, outside ? -1 : (n * g.groups + group) * C * I + (d * g.in[1] + h) * g.in[2] + w, o * C * T + t);
  }
}

/// f(tap, channel, place of x or -1 outside, place of w) over the products of a slot, taps ascending, channel fastest; places as in Operands.
template <class F>
void for_each_place(const Geometry& g, std::int64_t slot, F f) {
  const std::int64_t I = g.in_positions(), T = g.taps();
  for_each_tap(g, slot, [&](std::int64_t t, std::int64_t x, std::int64_t w) {
    for (std::int64_t c = 0; c < g.in_channels; ++c) f(t, c, x < 0 ? -1 : x + c * I, w + c * T);
  });
}

}  // namespace lastbit
