// tensor_iterator.cpp: see tensor_iterator.hpp.
#include "lib/rules/tensor_iterator.hpp"

#include <algorithm>
#include <numeric>

namespace lastbit {
namespace {

using Strides = std::vector<std::int64_t>;

/// 1: axis a goes outside of b; -1: inside; 0: no operand says.
int order_of(const Shape& shape, const std::vector<Strides>& operands, std::size_t a, std::size_t b) {
  for (const auto& s : operands) {
    if (s[a] == 0 || s[b] == 0) continue;
    if (s[a] != s[b]) return s[a] < s[b] ? -1 : 1;
    if (shape[a] > shape[b]) return 1;
  }
  return 0;
}

/// Axes from the innermost outward.
std::vector<std::size_t> sorted_axes(const Shape& shape, const std::vector<Strides>& operands) {
  std::vector<std::size_t> axes(shape.size());
  std::iota(axes.rbegin(), axes.rend(), std::size_t{0});
  for (std::size_t i = 1; i < axes.size(); ++i) {  // insertion sort: the comparison is no order
    std::size_t moving = i;
    for (std::size_t j = i; j-- > 0;) {
      const int order = order_of(shape, operands, axes[j], axes[moving]);
      if (order > 0) {
        std::swap(axes[j], axes[moving]);
        moving = j;
      } else if (order < 0) {
        break;
      }
    }
  }
  return axes;
}

}  // namespace

Strides memory_strides(const Shape& shape, const std::string& layout) {
  if (layout != "NHWC" || shape.size() < 4) return strides_of(shape);
  Strides s(shape.size());
  std::int64_t step = 1;
  const auto take = [&](std::size_t axis) { s[axis] = step, step *= shape[axis]; };
  take(1);
  for (std::size_t axis = shape.size(); axis-- > 2;) take(axis);
  take(0);
  return s;
}

Strides memory_strides(const Tensor& t) { return memory_strides(t.shape, t.memory_layout); }

namespace {

Strides over_output(const Strides& own, const Shape& shape, const Shape& output) {
  Strides s(output.size(), 0);
  const std::size_t lead = output.size() - shape.size();
  for (std::size_t i = 0; i < own.size(); ++i) s[lead + i] = shape[i] == 1 && output[lead + i] != 1 ? 0 : own[i];
  return s;
}

}  // namespace

Strides operand_strides(const Tensor& t, const Shape& output) { return over_output(memory_strides(t), t.shape, output); }

Strides stored_strides(const Tensor& t, const Shape& output) { return over_output(strides_of(t.shape), t.shape, output); }

std::vector<char> vector_body(const Shape& shape, const std::vector<Strides>& operands, std::int64_t block) {
  std::vector<char> body(static_cast<std::size_t>(count(shape)), 0);
  if (block <= 0 || body.empty()) return body;
  const auto axes = sorted_axes(shape, operands);
  // The innermost run of axes that merge: its length, its strides, and each axis' step along it.
  std::int64_t length = 1;
  Strides inner(operands.size(), 1), step(shape.size(), 0);
  for (const auto axis : axes) {
    bool merges = length == 1 || shape[axis] == 1;
    if (!merges) {
      merges = true;
      for (std::size_t k = 0; k < operands.size(); ++k) merges = merges && length * inner[k] == operands[k][axis];
    }
    if (!merges) break;
    if (length == 1)
      for (std::size_t k = 0; k < operands.size(); ++k) inner[k] = operands[k][axis];
    step[axis] = length;
    length *= shape[axis];
  }
  const auto constant = std::count(inner.begin() + 1, inner.end(), 0);
  const bool contiguous = std::all_of(inner.begin(), inner.end(), [](std::int64_t s) { return s == 0 || s == 1; }) && inner[0] == 1 && constant <= 1;
  if (!contiguous) return body;
  const std::int64_t end = length / block * block;
  Shape at(shape.size(), 0);
  std::int64_t place = 0;
  for (auto& b : body) {
    b = place < end;
    for (std::size_t a = shape.size(); a-- > 0;) {
      place += step[a];
      if (++at[a] < shape[a]) break;
      place -= step[a] * shape[a];
      at[a] = 0;
    }
  }
  return body;
}

}  // namespace lastbit
