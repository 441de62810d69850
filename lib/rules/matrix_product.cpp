// matrix_product.cpp: see matrix_product.hpp.
#include "lib/rules/matrix_product.hpp"

#include "lib/error.hpp"
#include "lib/rules/pointwise.hpp"

namespace lastbit {

MatrixProduct matrix_product(const Layer& layer) {
  const Tensor &a = layer.in("a"), &b = layer.in("b");
  for (const auto* t : {&a, &b})
    if (t->rank() < 1) throw Error(layer.place, "found an operand of shape " + to_string(t->shape) + ", expected at least one axis");
  MatrixProduct p;
  p.transposed = layer.attributes.boolean("transpose_b", false);
  const bool row = a.rank() == 1, column = b.rank() == 1;  // NumPy: a vector is a matrix of one row or column, which y does not have
  p.M = row ? 1 : a.dim(-2), p.K = a.dim(-1), p.N = column ? 1 : b.dim(p.transposed ? -2 : -1);
  if ((column ? b.dim(0) : b.dim(p.transposed ? -1 : -2)) != p.K)
    throw Error(layer.place, "found the shapes " + to_string(a.shape) + " and " + to_string(b.shape) + (p.transposed ? " (b transposed)" : "") + ", expected the same number of terms in both");
  const Shape a_outer(a.shape.begin(), a.shape.end() - (row ? 1 : 2)), b_outer(b.shape.begin(), b.shape.end() - (column ? 1 : 2));
  p.shape = broadcast_shape(layer, a_outer, b_outer);
  p.a_batch = broadcast_index(a_outer, p.shape);
  p.b_batch = broadcast_index(b_outer, p.shape);
  if (!row) p.shape.push_back(p.M);
  if (!column) p.shape.push_back(p.N);
  return p;
}

AccumulationInput matrix_operands(const Layer& layer, const MatrixProduct& p, std::int64_t batch) {
  const Tensor &a = layer.in("a"), &b = layer.in("b");
  AccumulationInput in;
  for (std::int64_t i = 0; i < p.M * p.K; ++i) in.x.push_back(static_cast<std::int32_t>(a.integer(p.a_index(batch, 0, 0) + i)));
  for (std::int64_t n = 0; n < p.N; ++n)
    for (std::int64_t k = 0; k < p.K; ++k) in.w.push_back(static_cast<std::int32_t>(b.integer(p.b_index(batch, k, n))));
  in.x_zero_point = a.q.integer_zero_point();
  in.x_dtype = a.dtype;
  in.x_scale = a.q.quantized() ? a.q.scale_of(0) : 1;
  for (std::int64_t n = 0; n < (b.q.zero_point.size() > 1 ? p.N : 1); ++n) in.w_zero_point.push_back(b.q.integer_zero_point(n));
  return in;
}

Geometry MatrixProduct::geometry() const {
  Geometry g;
  g.batch = M, g.in_channels = K, g.out_channels = N;
  return g;
}

}  // namespace lastbit
