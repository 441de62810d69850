// cascade_sum.cpp: see cascade_sum.hpp.
#include "lib/rules/cascade_sum.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <numeric>

#include "lib/rules/shapes.hpp"

namespace lastbit {
namespace {

constexpr std::int64_t lanes = 8, largest = 32767;

/// terms[first], terms[first + step], ... `n` of them.
float cascade(std::span<const float> terms, std::int64_t first, std::int64_t step, std::int64_t n) {
  const int log2 = n <= 2 ? 1 : 64 - std::countl_zero(static_cast<std::uint64_t>(n - 1));
  const int p = std::max(4, log2 / 4);
  const std::int64_t block = std::int64_t{1} << p, mask = block - 1;
  const auto term = [&](std::int64_t i) { return terms[static_cast<std::size_t>(first + i * step)]; };
  std::array<float, 4> sums{};
  std::int64_t i = 0;
  while (i + block <= n) {
    for (std::int64_t k = 0; k < block; ++k, ++i) sums[0] = sums[0] + term(i);
    for (std::size_t level = 1; level < 4; ++level) {
      sums[level] = sums[level] + sums[level - 1];
      sums[level - 1] = 0;
      if (i & (mask << (static_cast<int>(level) * p))) break;
    }
  }
  for (; i < n; ++i) sums[0] = sums[0] + term(i);
  for (std::size_t level = 1; level < 4; ++level) sums[0] = sums[0] + sums[level];
  return sums[0];
}

float cascade_in_four(std::span<const float> terms, std::int64_t first, std::int64_t step, std::int64_t n) {
  std::array<float, 4> sums;
  for (std::int64_t k = 0; k < 4; ++k) sums[static_cast<std::size_t>(k)] = cascade(terms, first + k * step, 4 * step, n / 4);
  for (std::int64_t i = n / 4 * 4; i < n; ++i) sums[0] = sums[0] + terms[static_cast<std::size_t>(first + i * step)];
  return sums[0] + sums[1] + sums[2] + sums[3];
}

}  // namespace

float cascade_column(std::span<const float> terms, std::int64_t column, std::int64_t columns, std::int64_t block) {
  const std::int64_t n = static_cast<std::int64_t>(terms.size());
  return block > 0 && column < columns / block * block ? cascade(terms, 0, 1, n) : cascade_in_four(terms, 0, 1, n);
}

float cascade_row(std::span<const float> terms) {
  const std::int64_t n = static_cast<std::int64_t>(terms.size());
  const std::int64_t whole = n / lanes;
  float sum = 0;
  for (std::int64_t i = whole * lanes; i < n; ++i) sum = sum + terms[static_cast<std::size_t>(i)];
  for (std::int64_t lane = 0; lane < lanes; ++lane) sum = sum + cascade_in_four(terms, lane, lanes, whole);
  return sum;
}

CascadeOrder cascade_order(const Tensor& x, const std::vector<std::int64_t>& axes) {
  CascadeOrder order;
  if (x.size() > largest) return order;
  std::vector<std::int64_t> memory(x.shape.size());  // axes from the outermost in memory to the innermost
  std::iota(memory.begin(), memory.end(), 0);
  if (x.memory_layout == "NHWC" && memory.size() > 2) std::rotate(memory.begin() + 1, memory.begin() + 2, memory.end());
  const auto reduced = [&](std::int64_t a) { return std::binary_search(axes.begin(), axes.end(), a); };
  Shape step(x.shape.size(), 1);
  for (std::size_t k = memory.size(); k-- > 1;) step[static_cast<std::size_t>(memory[k - 1])] = step[static_cast<std::size_t>(memory[k])] * x.dim(memory[k]);
  std::vector<std::int64_t> kept, inside;  // axes of more than one element: kept in the output's order, reduced in memory's
  std::vector<std::int64_t> to;
  for (std::int64_t a = 0; a < x.rank(); ++a) {
    if (reduced(a)) continue;
    to.push_back(a);
    if (x.dim(a) > 1) kept.push_back(a);
  }
  std::int64_t terms = 1;
  for (const auto a : memory) {
    if (!reduced(a)) continue;
    to.push_back(a);
    terms *= x.dim(a);
    if (x.dim(a) > 1) inside.push_back(a);
  }
  const auto step_of = [&](std::int64_t a) { return step[static_cast<std::size_t>(a)]; };
  const auto continues = [&](std::int64_t outer, std::int64_t inner) { return step_of(outer) == step_of(inner) * x.dim(inner); };
  for (std::size_t k = 1; k < inside.size(); ++k)
    if (!continues(inside[k - 1], inside[k])) return order;
  const std::int64_t term_step = inside.empty() ? 1 : step_of(inside.back());
  order.index = permuted_index(x.shape, to);
  order.kind = term_step == 1 && terms >= lanes ? CascadeOrder::Kind::rows : CascadeOrder::Kind::columns;
  if (kept.empty()) return order;
  order.columns = x.dim(kept.back());
  for (std::size_t k = kept.size() - 1; k-- > 0 && continues(kept[k], kept[k + 1]);) order.columns *= x.dim(kept[k]);
  const std::int64_t column_step = step_of(kept.back());
  order.block = column_step == 1 && order.columns >= lanes ? 4 * lanes : term_step < column_step ? 0 : 4;
  return order;
}

}  // namespace lastbit
