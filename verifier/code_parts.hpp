// code_parts.hpp: an element-wise layer's elements as combinations of codes: a rule is tried on those that are asked for, or on every
// combination that occurs, instead of on the whole layer.
#pragma once
#include <memory>

#include "verifier/code_rows.hpp"

namespace lastbit {

/// Some elements of a layer, or all: a row of combinations, and where in it each element stands.
struct CodePart {
  CodeRow row;
  std::vector<std::uint32_t> at;    // by element asked for; of all elements: by element
};

class CodeParts {
 public:
  /// None where a layer's elements are not functions of codes.
  static std::shared_ptr<CodeParts> of(const Layer&, const Operator&);

  /// The elements asked for (all when empty) of a layer of the same shapes, for a kernel that runs over vectors of so many. Null where it
  /// needs to know more than codes, and where the whole layer is run as fast.
  std::shared_ptr<const CodePart> part(const Layer&, std::int64_t vector, const std::vector<std::int64_t>& elements);

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
