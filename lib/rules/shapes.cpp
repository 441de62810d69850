// shapes.cpp: see shapes.hpp.
#include "lib/rules/shapes.hpp"

#include <algorithm>
#include <numeric>

#include "lib/error.hpp"

namespace lastbit {

std::int64_t axis_of(const Layer& layer, const std::string& attribute, std::int64_t axis, std::int64_t rank) {
  if (axis < -rank || axis >= rank)
    throw Error(layer.place + ": attribute \"" + attribute + "\"", "found the axis " + std::to_string(axis) + ", expected " + std::to_string(-rank) + " to " + std::to_string(rank - 1));
  return axis < 0 ? axis + rank : axis;
}

std::vector<std::int64_t> reduced_axes(const Layer& layer, const std::string& attribute, std::int64_t rank) {
  std::vector<std::int64_t> axes;
  if (layer.attributes.has(attribute)) axes = layer.attributes.list(attribute);
  if (axes.empty()) {
    axes.resize(static_cast<std::size_t>(rank));
    std::iota(axes.begin(), axes.end(), 0);
  }
  for (auto& a : axes) a = axis_of(layer, attribute, a, rank);
  std::sort(axes.begin(), axes.end());
  if (std::adjacent_find(axes.begin(), axes.end()) != axes.end())
    throw Error(layer.place + ": attribute \"" + attribute + "\"", "found " + to_string(axes) + ", expected each axis once");
  return axes;
}

std::vector<std::int64_t> permute_order(const Layer& layer) {
  const auto rank = layer.in("x").rank();
  auto order = layer.attributes.list("dims");
  if (static_cast<std::int64_t>(order.size()) != rank || static_cast<std::int64_t>(reduced_axes(layer, "dims", rank).size()) != rank)
    throw Error(layer.place + ": attribute \"dims\"", "found " + to_string(order) + ", expected " + std::to_string(rank) + " axes");
  for (auto& a : order) a = axis_of(layer, "dims", a, rank);
  return order;
}

std::vector<std::int64_t> transpose_order(const Layer& layer) {
  const auto rank = layer.in("x").rank();
  std::vector<std::int64_t> order(static_cast<std::size_t>(rank));
  std::iota(order.begin(), order.end(), 0);
  const auto a = axis_of(layer, "dim0", layer.attributes.integer("dim0"), rank), b = axis_of(layer, "dim1", layer.attributes.integer("dim1"), rank);
  std::swap(order[static_cast<std::size_t>(a)], order[static_cast<std::size_t>(b)]);
  return order;
}

std::vector<std::int64_t> permuted_index(const Shape& from, const std::vector<std::int64_t>& order) {
  const Shape own = strides_of(from);
  Shape shape, step;
  for (const auto a : order) {
    shape.push_back(from[static_cast<std::size_t>(a)]);
    step.push_back(own[static_cast<std::size_t>(a)]);
  }
  std::vector<std::int64_t> index(static_cast<std::size_t>(count(shape)));
  Shape at(shape.size(), 0);
  std::int64_t source = 0;
  for (auto& i : index) {
    i = source;
    for (std::size_t a = shape.size(); a-- > 0;) {
      source += step[a];
      if (++at[a] < shape[a]) break;
      source -= step[a] * shape[a];
      at[a] = 0;
    }
  }
  return index;
}

std::vector<std::int64_t> moved_index(const Shape& from, const Shape& shape, const std::vector<std::vector<std::int64_t>>& source) {
  const Shape step = strides_of(from);
  std::vector<std::int64_t> index(static_cast<std::size_t>(count(shape)));
  Shape at(shape.size(), 0);
  for (auto& i : index) {
    i = 0;
    for (std::size_t a = 0; a < shape.size(); ++a) {
      const std::int64_t s = source[a][static_cast<std::size_t>(at[a])];
      if (s < 0) { i = -1; break; }
      i += s * step[a];
    }
    for (std::size_t a = shape.size(); a-- > 0;) {
      if (++at[a] < shape[a]) break;
      at[a] = 0;
    }
  }
  return index;
}

Shape reduction_shape(const Layer& layer) {
  const Tensor& x = layer.in("x");
  const auto axes = reduced_axes(layer, "dim", x.rank());
  const bool keep = layer.attributes.boolean("keepdim", false);
  Shape shape;
  for (std::int64_t a = 0; a < x.rank(); ++a) {
    if (!std::binary_search(axes.begin(), axes.end(), a)) shape.push_back(x.dim(a));
    else if (keep) shape.push_back(1);
  }
  return shape;
}

Groups reduction_groups(const Layer& layer) {
  const Tensor& x = layer.in("x");
  const auto axes = reduced_axes(layer, "dim", x.rank());
  Groups g;
  g.shape = reduction_shape(layer);
  std::vector<std::int64_t> order;
  for (std::int64_t a = 0; a < x.rank(); ++a)
    if (!std::binary_search(axes.begin(), axes.end(), a)) order.push_back(a);
  for (const auto a : axes) {
    order.push_back(a);
    g.size *= x.dim(a);
  }
  g.index = permuted_index(x.shape, order);
  return g;
}

}  // namespace lastbit
