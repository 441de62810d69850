// shapes.hpp: axes, permutations and index maps of operators that move or reduce elements.
#pragma once
#include "lib/layer/operator.hpp"

namespace lastbit {

/// An axis counted from the front; -1 is the last one. Throws Error naming the attribute.
std::int64_t axis_of(const Layer&, const std::string& attribute, std::int64_t axis, std::int64_t rank);
/// The axes an attribute lists, ascending and each once; all of them when it is absent or empty.
std::vector<std::int64_t> reduced_axes(const Layer&, const std::string& attribute, std::int64_t rank);

/// The axes of x in the order that a permute (attribute "dims") or a transpose ("dim0", "dim1") gives them. Throws Error.
std::vector<std::int64_t> permute_order(const Layer&);
std::vector<std::int64_t> transpose_order(const Layer&);

/// For every element of a tensor of shape `shape` whose axis i is axis order[i] of one of shape `from`: its index there.
std::vector<std::int64_t> permuted_index(const Shape& from, const std::vector<std::int64_t>& order);
/// For every element of `shape`, the index source(position) in a tensor of shape `from`, or -1 where it says a coordinate
/// is -1.
std::vector<std::int64_t> moved_index(const Shape& from, const Shape& shape, const std::vector<std::vector<std::int64_t>>& source);

/// A tensor cut into groups of elements that are reduced together.
struct Groups {
  Shape shape;                       // of the result
  std::int64_t size = 1;             // elements a group
  std::vector<std::int64_t> index;   // group g holds the elements index[g * size ... (g + 1) * size)
  std::int64_t count() const { return lastbit::count(shape); }
};
/// Attributes "dim" and "keepdim" over input "x".
Groups reduction_groups(const Layer&);
Shape reduction_shape(const Layer&);

}  // namespace lastbit
