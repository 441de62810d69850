// reduction.cpp: see reduction.hpp.
#include "lib/rules/reduction.hpp"

#include <algorithm>

#include "lib/error.hpp"

namespace lastbit {

void check_reduction(const Layer& layer) {
  const Tensor &x = layer.in("x"), &y = layer.out();
  if (is_float(x.dtype) || !x.q.quantized()) throw Error(layer.place + ": input \"x\"", "found no quantized integers, expected them");
  if (is_float(y.dtype) || !y.q.quantized()) throw Error(layer.place + ": output \"y\"", "found no quantized integers, expected them");
  if (x.size() == 0) throw Error(layer.place + ": input \"x\"", "found the shape " + to_string(x.shape) + ", expected at least one element");
  expect_shape(layer, "y", reduction_shape(layer));
}

std::vector<AttributeSpec> reduction_attributes() {
  return {{"dim", "integers, axes of the stored array (all)"}, {"keepdim", "true, false (false)"}};
}

void reduction_facts(const Layer& layer, std::set<std::string>& f) {
  const Tensor* x = layer.find("x");
  if (!x) return;
  const auto it = layer.attributes.values.find("dim");
  std::vector<std::int64_t> dim;
  if (it != layer.attributes.values.end()) {
    if (const auto* one = std::get_if<std::int64_t>(&it->second)) dim = {*one};
    else if (const auto* list = std::get_if<std::vector<std::int64_t>>(&it->second)) dim = *list;
  }
  if (x->rank() == 4 && dim == std::vector<std::int64_t>{2, 3}) f.insert("image_mean");
  for (auto& a : dim) a = a < 0 ? a + x->rank() : a;
  std::sort(dim.begin(), dim.end());
  if (x->rank() == 4 && dim == std::vector<std::int64_t>{1, 2}) f.insert("planes");
  const auto keep = layer.attributes.values.find("keepdim");
  if (keep != layer.attributes.values.end() && std::get_if<bool>(&keep->second) && std::get<bool>(keep->second)) f.insert("keepdim");
  bool last = true;
  for (std::size_t i = 0; i < dim.size(); ++i) last = last && dim[i] == x->rank() - static_cast<std::int64_t>(dim.size() - i);
  std::int64_t positions = 1;
  for (std::int64_t a = 2; a < x->rank(); ++a) positions *= x->dim(a);
  const bool contiguous = !f.count("memory:NHWC") || x->rank() < 2 || x->dim(1) == 1 || positions == 1;
  if (last && contiguous) f.insert("inner");
}

std::vector<std::int64_t> group_sums(const Groups& g, const Tensor& x) {
  const auto v = x.i32();
  std::vector<std::int64_t> sums(static_cast<std::size_t>(g.count()));
  for (std::size_t i = 0; i < g.index.size(); ++i) sums[i / static_cast<std::size_t>(g.size)] += v[static_cast<std::size_t>(g.index[i])];
  return sums;
}

}  // namespace lastbit
