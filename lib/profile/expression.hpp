// expression.hpp: how a profile spells a constant, as text that is also its documentation.
//
//   f32(si) * f32(sw) / f32(so)      three float32 steps, in that order
//   f32(si * sw / so)                two float64 steps, then one narrowing
//
// Names are float64 as the dump holds them; f32(x) narrows (one rounding). An operation between two float32 values is one
// float32 step, any other a float64 step; a literal takes the type of the other side. fma(a, b, c) rounds once.
// No step is ever fused or reordered.
#pragma once
#include <array>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lastbit {

struct Scalar {
  enum class Kind { literal, f32, f64 } kind = Kind::f64;
  double value = 0;  // a float32 is held as the float64 of the same value
};

/// What an expression may name, with its value: one channel's constants, side by side.
class Names {
 public:
  static constexpr std::array<std::string_view, 9> known{"alpha", "bias", "sa", "sb", "si", "so", "sw", "zi", "zo"};
  static constexpr std::size_t none = known.size();
  /// Its place in `known`, or none.
  static constexpr std::size_t slot(std::string_view name) {
    std::size_t i = 0;
    while (i < none && known[i] != name) ++i;
    return i;
  }

  /// A name as code spells it, found when that is compiled: every channel of every layer is asked for its constants.
  struct Name {
    std::size_t slot;
    consteval Name(const char* text) : slot(Names::slot(text)) {
      if (slot == none) throw "no such name";
    }
  };

  Names() = default;
  struct Named {
    Name name;
    double value;
  };
  Names(std::initializer_list<Named> all) {
    for (const auto& [name, value] : all) (*this)[name] = value;
  }
  bool has(std::size_t slot) const { return (set_ >> slot & 1U) != 0; }
  double value(std::size_t slot) const { return values_[slot]; }
  std::size_t count(Name name) const { return has(name.slot) ? 1 : 0; }
  /// Throws Error when it has no value.
  double at(Name name) const {
    if (!has(name.slot)) missing(known[name.slot]);
    return values_[name.slot];
  }
  /// Defines it.
  double& operator[](Name name) {
    set_ |= 1U << name.slot;
    return values_[name.slot];
  }

 private:
  [[noreturn]] static void missing(std::string_view name);
  std::array<double, known.size()> values_{};
  std::uint32_t set_ = 0;
};

/// The same constant of many channels.
struct Column {
  Scalar::Kind kind = Scalar::Kind::f64;
  std::vector<double> values;
};

class Expression {
 public:
  /// Grammar: sums and products of names, numbers, f32(..), f64(..), rne(..), away(..), q31(..), q15(..), pow2(..) (the
  /// mantissa rounded to 31, 15, 1 bits), power(..) (the power of two above it, at most 1: x / power(x) in [0.5, 1)), int_min(..) (-2^31 for what is 2^31 or more, as x86 converts it to int32), min(.., ..), max(.., ..), fma(.., .., ..),
  /// parentheses. Throws Error(place: ...) on anything else.
  static Expression parse(const std::string& text, const std::string& place = "expression");
  /// Throws Error when a name is not defined.
  Scalar evaluate(const Names&) const;
  /// That for every entry, step by step over all of them.
  Column evaluate(std::span<const Names>) const;
  const std::string& text() const { return text_; }
  /// Names used, in order of appearance.
  std::vector<std::string> names() const;

  struct Node;

 private:
  std::string text_;
  std::shared_ptr<const Node> root_;
};

}  // namespace lastbit
