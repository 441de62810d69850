// expression.hpp: how a profile spells a constant, as text that is also its documentation.
//
//   f32(si) * f32(sw) / f32(so)      three float32 steps, in that order
//   f32(si * sw / so)                two float64 steps, then one narrowing
//
// Names are float64 as the dump holds them; f32(x) narrows (one rounding). An operation between two float32 values is one
// float32 step, any other a float64 step; a literal takes the type of the other side. fma(a, b, c) rounds once.
// No step is ever fused or reordered.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace lastbit {

struct Scalar {
  enum class Kind { literal, f32, f64 } kind = Kind::f64;
  double value = 0;  // a float32 is held as the float64 of the same value
};

using Names = std::map<std::string, double>;

class Expression {
 public:
  /// Grammar: sums and products of names, numbers, f32(..), f64(..), rne(..), q31(..), q15(..), pow2(..) (the
  /// mantissa rounded to 31, 15, 1 bits), power(..) (the power of two above it, at most 1: x / power(x) in [0.5, 1)), min(.., ..), max(.., ..), fma(.., .., ..),
  /// parentheses. Throws Error(place: ...) on anything else.
  static Expression parse(const std::string& text, const std::string& place = "expression");
  /// Throws Error when a name is not defined.
  Scalar evaluate(const Names&) const;
  const std::string& text() const { return text_; }
  /// Names used, in order of appearance.
  std::vector<std::string> names() const;

  struct Node;

 private:
  std::string text_;
  std::shared_ptr<const Node> root_;
};

}  // namespace lastbit
