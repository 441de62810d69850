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

/// Where a number of [rows, channels, inner] is taken from, when the bytes lie as [rows, inner, channels]; `back`: the other way round.
template <class Int>
Int swapped(Int at, Int channels, Int inner, bool back) {
  const Int row = at / (channels * inner), rest = at % (channels * inner), last = back ? channels : inner;
  return row * channels * inner + rest % last * (back ? inner : channels) + rest / last;
}

Reading of_input(const Case& c, bool back) {
  return {.place = [channels = c.geometry().groups * c.geometry().in_channels, inner = c.geometry().in_positions(), back](std::int64_t at) { return swapped(at, channels, inner, back); }};
}

/// The tensor of a transposed convolution has its input channels first: [I, O/g, taps], its operand [O, I/g, taps].
Reading of_weight(const Case& c, bool back) {
  const Geometry& g = c.geometry();
  const std::int64_t T = g.taps(), C = g.in_channels, O = g.out_channels;
  if (!g.transposed && c.right().size() < std::int64_t{1} << 31)  // divides faster
    return {.place = [channels = static_cast<std::uint32_t>(C), taps = static_cast<std::uint32_t>(T), back](std::int64_t at) { return static_cast<std::int64_t>(swapped(static_cast<std::uint32_t>(at), channels, taps, back)); }};
  if (!g.transposed) return {.place = [=](std::int64_t at) { return swapped(at, C, T, back); }};
  return {.place = [=](std::int64_t at) {
    const std::int64_t row = at / T / C, in_tensor = (((row / O * C) + at / T % C) * O + row % O) * T + at % T, from = swapped(in_tensor, O, T, back), channel = from / T / O;
    return ((channel / C * O + from / T % O) * C + channel % C) * T + from % T;
  }};
}

std::vector<Suspect> suspects(const Case& c) {
  std::vector<Suspect> all;
  const auto last = [](const Tensor& t) {  // channels last: 0, 2, 3, 1
    std::vector<int> order{0};
    for (int a = 2; a < t.rank(); ++a) order.push_back(a);
    order.push_back(1);
    return order;
  };
  const auto add = [&](const char* port, const char* name, const char* sentence, bool back) {
    const Tensor* t = c.layer.find(port);
    if (!t || t->rank() < 3) return;
    const bool left = std::string(port) == "x";
    OtherOperands operands;
    if (c.accumulates()) operands = left ? OtherOperands({.x = of_input(c, back)}) : OtherOperands({.w = of_weight(c, back)});
    all.push_back(operands_suspect(c, name, sentence, std::move(operands), [&] {
      Layer other = c.layer;
      other.inputs.at(port) = back ? reread_back(*t, last(*t)) : reread(*t, last(*t));
      return other;
    }));
  };
  if (const Tensor& y = c.observed; c.port == "y" && y.rank() >= 3 && y.dim(1) > 1 && y.size() > y.dim(0) * y.dim(1))
    for (const bool back : {true, false}) {
      const auto place = [channels = y.dim(1), inner = y.size() / (y.dim(0) * y.dim(1)), back](std::int64_t i) { return swapped(i, channels, inner, back); };
      all.push_back({"layout:nhwc", back ? "The output was written channels last (NHWC) and taken for channels first." : "The output was written channels first and taken for channels last (NHWC).", 20,
                     [&c, place](const std::vector<std::int64_t>& elements) {
                       Values v;
                       if (elements.empty()) for (std::int64_t i = 0; i < c.size(); ++i) v.push_back(c.expected_value(place(i)));
                       for (const auto i : elements) v.push_back(c.expected_value(place(i)));
                       return v;
                     }});
    }
  if (!c.op.spatial) return all;
  add("x", "layout:nhwc", "The input's bytes were read as channels last (NHWC) instead of channels first.", false);
  add("x", "layout:nhwc", "The input's bytes, channels last (NHWC), were read as channels first.", true);
  add("weight", "layout:ohwi", "The weight's bytes were read as OHWI instead of OIHW.", false);
  add("weight", "layout:ohwi", "The weight's bytes, OHWI, were read as OIHW.", true);
  return all;
}

}  // namespace

Cause layout() { return {"layout", "bytes read in another order of axes", {"layout:nhwc", "layout:ohwi"}, suspects}; }

}  // namespace lastbit::causes
