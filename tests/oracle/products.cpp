// products.cpp: everything that multiplies and adds up.
#include "tests/oracle/oracle.hpp"

namespace lastbit::oracle {
namespace {

/// Element i of the input as the layer multiplied it: a dynamic layer's is quantized first, and its output "x_q" says how.
Big input(const Layer& l, const Result& r, std::int64_t i) {
  const auto it = r.outputs.find("x_q");
  if (it == r.outputs.end()) return at(l.in("x"), i);
  const Quantization& q = it->second.chosen.value();
  const std::int64_t row = q.scale.size() == 1 ? 0 : i / l.in("x").dim(-1);
  return (Big(it->second.q[static_cast<std::size_t>(i)]) - Big(q.zero_point_of(row))) * Big(q.scale_of(row));
}

/// A bias: floats, or integers at the scale of the products where it names none.
Big bias(const Layer& l, std::int64_t o) {
  const Tensor* b = l.find("bias");
  if (!b) return 0;
  if (is_float(b->dtype) || !b->q.scale.empty()) return at(*b, o);
  return Big(b->integer(o)) * Big(l.in("x").q.scale_of(0)) * Big(l.in("weight").q.scale_of(l.in("weight").q.scale.size() == 1 ? 0 : o));
}

Big linear(const Layer& l, const Result& r, std::int64_t i) {
  const Tensor& w = l.in("weight");
  const std::int64_t O = w.dim(0), I = w.dim(1), row = i / O, o = i % O;
  Big sum = 0;
  for (std::int64_t k = 0; k < I; ++k) {
    Big weight = at(w, o * I + k);
    if (const Tensor* offset = l.find("weight_bias")) {
      const std::int64_t groups = offset->size() / O;
      weight += at(*offset, o * groups + (groups == 1 ? 0 : k / w.q.group_size));
    }
    sum += input(l, r, row * I + k) * weight;
  }
  const Big y = sum * Big(l.attributes.number("alpha", 1.0)) + bias(l, o);
  return is_float(l.out().dtype) && activation(l) == "relu" && y < 0 ? Big(0) : y;  // an integer's relu is its clamp
}

Big convolution(const Layer& l, const Result& r, std::int64_t i, std::size_t dims, bool transposed) {
  const Tensor &x = l.in("x"), &w = l.in("weight");
  const Shape place = coordinates(l.out().shape, i);
  const std::int64_t groups = l.attributes.integer("groups", 1), o = place[1];
  const std::int64_t outputs = transposed ? w.dim(1) : w.dim(0) / groups, inputs = x.dim(1) / groups, group = o / outputs;
  Shape kernel(w.shape.begin() + 2, w.shape.end());
  std::int64_t taps = 1;
  for (const auto k : kernel) taps *= k;
  Big sum = 0;
  for (std::int64_t t = 0; t < taps; ++t) {
    const Shape tap = coordinates(kernel, t);
    Shape source = place;
    bool inside = true;
    for (std::size_t a = 0; a < dims; ++a) {
      const std::int64_t stride = entry(l, "stride", a, 1), dilation = entry(l, "dilation", a, 1), padding = entry(l, "padding", a, 0);
      auto& p = source[2 + a];
      if (!transposed) p = p * stride + tap[a] * dilation - padding;
      else {
        p += padding - tap[a] * dilation;  // y[p * stride + t * dilation - padding] takes x[p]
        inside = inside && p % stride == 0;
        p /= stride;
      }
      inside = inside && p >= 0 && p < x.shape[2 + a];
    }
    if (!inside) continue;
    for (std::int64_t c = 0; c < inputs; ++c) {
      source[1] = group * inputs + c;
      const std::int64_t weight = transposed ? ((group * inputs + c) * outputs + o % outputs) * taps + t : (o * inputs + c) * taps + t;
      sum += input(l, r, position(x.shape, source)) * at(w, weight);
    }
  }
  return Big(sum + bias(l, o));
}

Big matmul(const Layer& l, std::int64_t i) {
  const Tensor &a = l.in("a"), &b = l.in("b");
  const bool transposed = l.attributes.boolean("transpose_b", false);
  const Shape place = coordinates(l.out().shape, i);
  const std::int64_t n = place.back(), m = a.rank() > 1 ? place[place.size() - 2] : 0, K = a.dim(-1);
  const auto element = [&](const Tensor& t, std::int64_t row, std::int64_t column) {  // leading axes broadcast
    Shape own(t.shape.size());
    for (std::size_t k = 0; k + 2 < own.size(); ++k) own[k] = t.shape[k] == 1 ? 0 : place[place.size() - own.size() + k];
    own[own.size() - 2] = row, own[own.size() - 1] = column;
    return at(t, position(t.shape, own));
  };
  Big sum = 0;
  for (std::int64_t k = 0; k < K; ++k) sum += element(a, m, k) * (transposed ? element(b, n, k) : element(b, k, n));
  sum *= Big(l.attributes.number("alpha", 1.0));
  if (const Tensor* c = l.find("bias")) sum += is_float(c->dtype) || !c->q.scale.empty() ? at(*c, n) : Big(Big(c->integer(n)) * Big(a.q.scale_of(0)) * Big(b.q.scale_of(b.q.scale.size() == 1 ? 0 : n)));
  return sum;
}

}  // namespace

Definitions products() {
  Definitions all{{"linear", linear}, {"linear_dynamic", linear}, {"linear_weight_only", linear}, {"matmul", [](const Layer& l, const Result&, std::int64_t i) { return matmul(l, i); }}};
  for (std::size_t dims = 1; dims <= 3; ++dims) {
    const std::string d = std::to_string(dims) + "d";
    all["conv" + d] = all["conv" + d + "_dynamic"] = [dims](const Layer& l, const Result& r, std::int64_t i) { return convolution(l, r, i, dims, false); };
    all["conv_transpose" + d] = [dims](const Layer& l, const Result& r, std::int64_t i) { return convolution(l, r, i, dims, true); };
  }
  all["conv2d_add"] = [](const Layer& l, const Result& r, std::int64_t i) {
    const Big y = convolution(l, r, i, 2, false) + at(l.in("a"), i);
    return activation(l) == "relu" && y < 0 ? Big(0) : y;
  };
  return all;
}

}  // namespace lastbit::oracle
