// tensor_iterator.hpp: which elements ATen's vectorized loops compute in their body, and which in the scalar tail.
#pragma once
#include <vector>

#include "lib/layer/layer.hpp"

namespace lastbit {

/// Strides, in elements, of a tensor as the runtime held it: memory_layout "NHWC" is channels last (rank 4 and 5), anything
/// else contiguous.
std::vector<std::int64_t> memory_strides(const Tensor&);
std::vector<std::int64_t> memory_strides(const Shape&, const std::string& memory_layout);

/// One operand as TensorIterator sees it: strides over the output's axes, 0 where it is broadcast.
std::vector<std::int64_t> operand_strides(const Tensor&, const Shape& output);
/// The same for a runtime that holds tensors in the order of the file, whatever its axes are called (TFLite).
std::vector<std::int64_t> stored_strides(const Tensor&, const Shape& output);

/// For every element of the output, row-major: 1 if a vector of the body computes it. ATen sorts the axes by the strides of the
/// output, then of the inputs, merges those that lie together, and walks rows of the innermost one; of a row of n elements the
/// first floor(n / block) * block are the body, if every operand is contiguous along it or exactly one input is constant.
/// `operands`: the output's strides first. block 0: there is no body.
/// aten/src/ATen/TensorIterator.cpp reorder_dimensions, coalesce_dimensions; native/cpu/Loops.h VectorizedLoop2d.
std::vector<char> vector_body(const Shape&, const std::vector<std::vector<std::int64_t>>& operands, std::int64_t block);

}  // namespace lastbit
