// code_parts.hpp: an element-wise layer's elements as combinations of codes: a rule is tried on those that are asked for, or on every
// combination that occurs, instead of on the whole layer.
#pragma once
#include <memory>

#include "verifier/code_rows.hpp"
#include "verifier/parts.hpp"

namespace lastbit {

/// Elements as a row of combinations.
struct CodePart : Part {
  CodePart(CodeRow r, std::vector<std::uint32_t> places) : Part{std::move(places)}, row(std::move(r)) {}
  Layer in_place_of(const Layer& layer) const override { return row.in_place_of(layer); }
  std::size_t size() const override { return row.size(); }
  CodeRow row;
};

class CodeParts : public Parts {
 public:
  /// None where a layer's elements are not functions of codes.
  static std::shared_ptr<CodeParts> of(const Layer&, const Operator&);

  /// Null, too, where the cell's kernel needs to know more than codes.
  std::shared_ptr<const Part> part(const Layer&, const Cell*, const std::vector<std::int64_t>& elements) override;
  std::int64_t together() const override { return 1; }

 private:
  CodeParts(const Operator& op, CodeBytes bytes) : op_(op), bytes_(bytes) {}

  struct Kept {
    std::vector<std::int64_t> elements;
    std::int64_t vector;
    std::shared_ptr<const CodePart> part;
  };
  const Operator& op_;
  CodeBytes bytes_;                 // of the layer's own numbers
  std::vector<Kept> some_;
  std::shared_ptr<const CodePart> all_;
  bool all_known_ = false;
};

}  // namespace lastbit
