// matrix_product.hpp: the accumulations of a matmul layer: one matrix product for every element of the broadcast batch.
#pragma once
#include "lib/rules/accumulation.hpp"

namespace lastbit {

struct MatrixProduct {
  std::int64_t M, K, N;
  bool transposed;                              // b is [..., N, K]
  std::vector<std::int64_t> a_batch, b_batch;   // which matrix of a and b
  Shape shape;                                  // of y

  std::int64_t batches() const { return static_cast<std::int64_t>(a_batch.size()); }
  std::int64_t a_index(std::int64_t batch, std::int64_t m, std::int64_t k) const { return (a_batch[static_cast<std::size_t>(batch)] * M + m) * K + k; }
  std::int64_t b_index(std::int64_t batch, std::int64_t k, std::int64_t n) const {
    return b_batch[static_cast<std::size_t>(batch)] * K * N + (transposed ? n * K + k : k * N + n);
  }
  /// One product as a window of one tap: M rows, K input channels, N output channels.
  Geometry geometry() const;
};

/// Inputs "a" [..., M, K] and "b" [..., K, N]; throws Error where their shapes do not go together.
MatrixProduct matrix_product(const Layer&);

/// Integers of one product: a's rows as x, b's columns as weights [N, K].
AccumulationInput matrix_operands(const Layer&, const MatrixProduct&, std::int64_t batch);

}  // namespace lastbit
