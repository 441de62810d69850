// code_rows.hpp: bytes that an element-wise layer's elements are functions of, and rows of combinations of them to compute instead.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "lib/dump/stored.hpp"
#include "lib/layer/operator.hpp"

namespace lastbit {

constexpr std::int64_t code_row = 1024;  // elements; a multiple of every kernel's vector

/// Elements of the vectors that a cell's kernel runs over, where an element's place decides how it is computed; 1: it does not; 0: not known.
std::int64_t vector_of(const Cell&);

/// The tensors of a layer as bytes in one order.
struct CodeBytes {
  const std::uint8_t *a = nullptr, *b = nullptr, *y = nullptr;  // b: null for one operand
  std::int64_t n = 0, body = 0;                                 // body: whole rows
  bool in_order = false;                                        // elements lie as the runtime walked them

  bool allows(std::int64_t vector) const { return vector == 1 || (vector > 1 && in_order); }
  std::size_t codes() const { return b ? 1 << 16 : 1 << 8; }
  std::size_t code(std::int64_t i) const { return b ? static_cast<std::size_t>(a[i]) << 8 | b[i] : a[i]; }
};

/// None for operators that do not work element by element, or tensors of more than 8 bits, several scales, or several shapes.
std::optional<CodeBytes> code_bytes(const StoredLayer&, const Operator&);

/// Combinations of codes that occur in whole rows, ascending.
std::vector<std::uint32_t> occurring(const CodeBytes&);

/// By code: the value, and in the higher byte what happened on the way.
using CodeTable = std::vector<std::uint16_t>;

/// Elements in a row: combinations of codes, filled up to whole rows, then the layer's own last elements. Or filled up to whole vectors,
/// and without those.
class CodeRow {
 public:
  CodeRow(const CodeBytes&, std::vector<std::uint32_t> codes, std::int64_t filled_to = code_row, bool last = true);
  std::size_t size() const { return a_.size(); }
  std::size_t body() const { return body_; }
  const std::vector<std::uint32_t>& codes() const { return codes_; }
  std::uint8_t observed(std::size_t i) const { return y_[i]; }
  /// What was observed where the combinations occur.
  void observe(const CodeTable&);

  /// The layer with these elements instead of its own; its facts stay. Reads this row.
  Layer in_place_of(Layer) const;
  /// What the operator gives for the row; none where it is not of one value an element.
  std::optional<Result> computed(const Operator&, const Cell&, const Layer&) const;
  /// Whether a rival gives, in the combinations and in the last elements, what was observed.
  bool given_by(const Operator&, const Cell&, const Layer& as_rival, const CodeTable&) const;

 private:
  std::vector<std::uint32_t> codes_;
  std::vector<std::uint8_t> a_, b_, y_;
  std::size_t body_ = 0;
};

/// Rivals tried on a row of all combinations: on a few of many first, which most of them differ in.
class CodeTrial {
 public:
  CodeTrial(const CodeBytes&, const CodeRow& all, const CodeTable& observed);
  bool given_by(const Operator&, const Cell&, const Layer& as_rival) const;

 private:
  const CodeRow& all_;
  const CodeTable& table_;
  std::optional<CodeRow> sample_;
};

}  // namespace lastbit
