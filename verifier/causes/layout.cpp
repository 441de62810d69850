// layout: bytes of one order of axes were read in another.
#include "verifier/cause.hpp"

namespace lastbit::causes {
namespace {

/// The bytes that t has in `order` of its axes, read as if they lay row-major in its own: the other way round.
Tensor reread_back(const Tensor& t, const std::vector<int>& order) {
  Tensor r = permuted(t, order);
  r.shape = t.shape;
  r.q = t.q;
  r.stored_axes = t.stored_axes;
  return r;
}

/// The bytes of t (row-major in its own order) reread as if they lay in `order` of its axes: result[i] = bytes in that order.
Tensor reread(const Tensor& t, const std::vector<int>& order) {
  Tensor other = t;  // the same bytes under the permuted shape, permuted back
  other.q.axis = -1;
  Shape shape;
  for (const int a : order) shape.push_back(t.shape[static_cast<std::size_t>(a)]);
  other.shape = shape;
  other.stored_axes.clear();
  std::vector<int> back(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) back[static_cast<std::size_t>(order[i])] = static_cast<int>(i);
  Tensor r = permuted(other, back);
  r.q = t.q;
  r.stored_axes = t.stored_axes;
  return r;
}

std::vector<Suspect> suspects(const Case& c) {
  std::vector<Suspect> all;
  if (!c.op.spatial) return all;
  const auto last = [](const Tensor& t) {  // channels last: 0, 2, 3, 1
    std::vector<int> order{0};
    for (int a = 2; a < t.rank(); ++a) order.push_back(a);
    order.push_back(1);
    return order;
  };
  if (const Tensor* x = c.layer.find("x"); x && x->rank() >= 3) {
    Layer other = c.layer;
    other.inputs.at("x") = reread(*x, last(*x));
    all.push_back(operands_suspect(c, "layout:nhwc", "The input's bytes were read as channels last (NHWC) instead of channels first.", other));
    other.inputs.at("x") = reread_back(*x, last(*x));
    all.push_back(operands_suspect(c, "layout:nhwc", "The input's bytes, channels last (NHWC), were read as channels first.", other));
  }
  if (const Tensor* w = c.layer.find("weight"); w && w->rank() >= 3) {
    Layer other = c.layer;
    other.inputs.at("weight") = reread(*w, last(*w));
    all.push_back(operands_suspect(c, "layout:ohwi", "The weight's bytes were read as OHWI instead of OIHW.", other));
    other.inputs.at("weight") = reread_back(*w, last(*w));
    all.push_back(operands_suspect(c, "layout:ohwi", "The weight's bytes, OHWI, were read as OIHW.", other));
  }
  return all;
}

}  // namespace

Cause layout() { return {"layout", "bytes read in another order of axes", {"layout:nhwc", "layout:ohwi"}, suspects}; }

}  // namespace lastbit::causes
