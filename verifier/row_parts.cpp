// row_parts.cpp: see row_parts.hpp.
#include "verifier/row_parts.hpp"

#include <algorithm>
#include <cstring>

#include "lib/error.hpp"

namespace lastbit {
namespace {

constexpr std::int64_t fewest = 8, small = 4096;  // rows, elements
constexpr std::size_t most_kept = 12;
constexpr std::int64_t worth = 3;   // times as many rows as are asked for: else the layer is run as fast

/// Rows by their first axes; 0: there are none.
std::int64_t rows_of(const Shape& shape, std::size_t axes) { return axes > shape.size() ? 0 : count({shape.begin(), shape.begin() + static_cast<std::ptrdiff_t>(axes)}); }

/// The axes that count rows, as far as x and y have them alike.
std::size_t axes_of(const Operator& op, const Layer& layer, const Cell* cell) {
  if (!op.row_axes) return 0;
  try {
    const std::size_t n = op.row_axes(layer, cell);
    if (layer.in("x").q.scale.size() > 1 || layer.out().q.scale.size() > 1) return 0;  // a row's number may say which is its own
    const Shape &x = layer.in("x").shape, &y = layer.out().shape;
    return n <= x.size() && n <= y.size() && std::equal(x.begin(), x.begin() + static_cast<std::ptrdiff_t>(n), y.begin()) ? n : 0;
  } catch (const Error&) {
    return 0;  // an attribute that the operator does not take
  }
}

/// These rows of a tensor. All axes that count rows but the last are then 1.
Tensor some_rows(const Tensor& t, std::size_t axes, const std::vector<std::int64_t>& rows) {
  Tensor r = t;
  std::fill_n(r.shape.begin(), axes, 1);
  r.shape[axes - 1] = static_cast<std::int64_t>(rows.size());
  const std::int64_t bytes = t.size() / rows_of(t.shape, axes) * stored_bytes(t.dtype);
  const auto held = std::make_shared<std::vector<std::byte>>(rows.size() * static_cast<std::size_t>(bytes));
  for (std::size_t k = 0; k < rows.size(); ++k) std::memcpy(held->data() + static_cast<std::int64_t>(k) * bytes, t.data + rows[k] * bytes, static_cast<std::size_t>(bytes));
  r.data = held->data();
  r.owner = held;
  return r;
}

struct RowPart : Part {
  RowPart(std::vector<std::int64_t> r, std::size_t a, std::int64_t length, std::vector<std::uint32_t> places) : Part(std::move(places)), rows(std::move(r)), axes(a), elements(rows.size() * static_cast<std::size_t>(length)) {}
  Layer in_place_of(const Layer& layer) const override {
    Layer some = layer;
    for (Tensor* t : {&some.inputs.at("x"), &some.outputs.at("y")}) *t = some_rows(*t, axes, rows);
    return some;
  }
  std::size_t size() const override { return elements; }

  std::vector<std::int64_t> rows;
  std::size_t axes, elements;
};

}  // namespace

std::shared_ptr<RowParts> RowParts::of(const Layer& layer, const Operator& op) {
  const std::size_t axes = axes_of(op, layer, nullptr);
  if (!axes || layer.outputs.size() != 1) return nullptr;
  const Tensor& y = layer.out();
  const std::int64_t rows = rows_of(y.shape, axes);
  if (rows < fewest || y.size() <= small) return nullptr;
  return std::shared_ptr<RowParts>(new RowParts(op, y.shape, y.size() / rows));
}

std::shared_ptr<const Part> RowParts::part(const Layer& layer, const Cell* cell, const std::vector<std::int64_t>& elements) {
  if (elements.empty() || layer.out().shape != y_) return nullptr;
  const std::size_t axes = axes_of(op_, layer, cell);
  if (!axes || rows_of(y_, axes) == 0) return nullptr;
  const auto known = std::find_if(kept_.begin(), kept_.end(), [&](const Kept& k) { return k.axes == axes && k.elements == elements; });
  if (known != kept_.end()) return known->part;
  const std::int64_t all = rows_of(y_, axes), length = count(y_) / all;
  std::vector<std::int64_t> rows;
  for (const auto i : elements)
    if (const std::int64_t row = i / length; rows.empty() || rows.back() != row) rows.push_back(row);
  std::sort(rows.begin(), rows.end());
  rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
  if (static_cast<std::int64_t>(rows.size()) * worth > all) return nullptr;
  std::vector<std::uint32_t> at;
  at.reserve(elements.size());
  for (const auto i : elements) at.push_back(static_cast<std::uint32_t>((std::lower_bound(rows.begin(), rows.end(), i / length) - rows.begin()) * length + i % length));
  if (kept_.size() >= most_kept) kept_.erase(kept_.begin());
  return kept_.emplace_back(Kept{axes, elements, std::make_shared<const RowPart>(std::move(rows), axes, length, std::move(at))}).part;
}

}  // namespace lastbit
