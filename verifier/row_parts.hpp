// row_parts.hpp: a layer whose rows are computed apart from each other (a softmax's rows, a pool's planes): a few of them instead of all.
#pragma once
#include <optional>

#include "verifier/parts.hpp"

namespace lastbit {

class RowParts : public Parts {
 public:
  /// None where the operator has no such rows, or the layer only a few.
  static std::shared_ptr<RowParts> of(const Layer&, const Operator&);

  /// Null, too, where the elements lie in many of the rows, and where the cell's rule looks beyond its row.
  std::shared_ptr<const Part> part(const Layer&, const Cell*, const std::vector<std::int64_t>& elements) override;
  std::int64_t together() const override { return length_; }

 private:
  RowParts(const Operator& op, Shape y, std::int64_t length) : op_(op), y_(std::move(y)), length_(length) {}

  struct Kept {
    std::size_t axes;
    std::vector<std::int64_t> elements;
    std::shared_ptr<const Part> part;
  };
  const Operator& op_;
  Shape y_;
  std::vector<Kept> kept_;
  std::int64_t length_;             // of a row of y
};

}  // namespace lastbit
