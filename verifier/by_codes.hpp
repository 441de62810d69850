// by_codes.hpp: a layer whose every element is a function of its own stored bytes, judged by the codes that occur.
//
// One or two bytes have few values. The operator computes each combination that occurs once, by its own rule, laid out as a row long
// enough that its kernel's vectors run over it; the tensors themselves are only looked up and compared. Where a row ends before a
// vector does, its last elements are computed as they are. The same few values tell every rival apart.
#pragma once
#include <optional>
#include <span>
#include <vector>

#include "verifier/streamed.hpp"

namespace lastbit {

struct CodeOptions {
  bool exact = false, floats = false;         // the exact and the float form, too
  std::span<const RivalCell> rivals;
  std::vector<bool>* open = nullptr;          // by rival: not decided here
};
struct JudgedCodes {
  Streamed streamed;                          // of a layer that agrees
  FloatSummary float_form;                    // when asked for
};

/// None when the layer or its cell is not of the kind, or some element differs or has no known value: 8-bit operands ("x", or "a" and "b" of
/// the output's shape) with one scale, an 8-bit output, operators that work element by element.
std::optional<JudgedCodes> judge_codes(const StoredLayer&, const Operator&, const Cell&, const CodeOptions&);

}  // namespace lastbit
