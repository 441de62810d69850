// code_parts.cpp: see code_parts.hpp.
#include "verifier/code_parts.hpp"

#include <algorithm>

namespace lastbit {
namespace {

constexpr std::size_t most_kept = 8;
constexpr std::int64_t worth = 2;   // times as many elements as combinations: else the layer is run as fast

std::shared_ptr<const CodePart> some_of(const CodeBytes& bytes, std::int64_t vector, const std::vector<std::int64_t>& elements) {
  std::vector<std::uint32_t> codes, at;
  for (const auto i : elements)
    if (i < bytes.body) codes.push_back(static_cast<std::uint32_t>(bytes.code(i)));
  const bool last = codes.size() < elements.size();                 // what a vector's rest is made by depends on how many are left
  CodeRow row(bytes, std::move(codes), last ? code_row : vector, last);
  std::uint32_t next = 0;
  for (const auto i : elements) at.push_back(i < bytes.body ? next++ : static_cast<std::uint32_t>(static_cast<std::int64_t>(row.body()) + i - bytes.body));
  return std::make_shared<const CodePart>(std::move(row), std::move(at));
}

std::shared_ptr<const CodePart> all_of(const CodeBytes& bytes) {
  CodeRow row(bytes, occurring(bytes));
  if (static_cast<std::int64_t>(row.size()) * worth > bytes.n) return nullptr;
  std::vector<std::uint32_t> place(bytes.codes()), at(static_cast<std::size_t>(bytes.n));
  for (std::size_t k = 0; k < row.codes().size(); ++k) place[row.codes()[k]] = static_cast<std::uint32_t>(k);
  for (std::int64_t i = 0; i < bytes.n; ++i) at[static_cast<std::size_t>(i)] = i < bytes.body ? place[bytes.code(i)] : static_cast<std::uint32_t>(static_cast<std::int64_t>(row.body()) + i - bytes.body);
  return std::make_shared<const CodePart>(std::move(row), std::move(at));
}

}  // namespace

std::shared_ptr<CodeParts> CodeParts::of(const Layer& layer, const Operator& op) {
  const auto bytes = code_bytes({layer, {}, {}}, op);
  return bytes ? std::shared_ptr<CodeParts>(new CodeParts(op, *bytes)) : nullptr;
}

std::shared_ptr<const Part> CodeParts::part(const Layer& layer, const Cell* cell, const std::vector<std::int64_t>& elements) {
  const std::int64_t vector = cell ? vector_of(*cell) : 1;
  const auto bytes = code_bytes({layer, {}, {}}, op_);
  if (!bytes || bytes->n != bytes_.n || !bytes->allows(vector)) return nullptr;
  const bool own = bytes->a == bytes_.a && bytes->b == bytes_.b;
  if (!own) return elements.empty() ? nullptr : some_of(*bytes, vector, elements);
  if (elements.empty()) {
    if (!all_known_) all_ = all_of(bytes_), all_known_ = true;
    return all_;
  }
  const auto known = std::find_if(some_.begin(), some_.end(), [&](const Kept& k) { return k.vector == vector && k.elements == elements; });
  if (known != some_.end()) return known->part;
  if (some_.size() >= most_kept) some_.erase(some_.begin());
  return some_.emplace_back(Kept{elements, vector, some_of(bytes_, vector, elements)}).part;
}

}  // namespace lastbit
