// code_rows.cpp: see code_rows.hpp.
#include "verifier/code_rows.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace lastbit {
namespace {

constexpr std::array<std::string_view, 17> elementwise{"add", "sub", "mul", "relu", "relu6", "clamp", "hardtanh", "threshold", "leaky_relu", "elu", "celu",
                                                       "gelu", "sigmoid", "tanh", "hardswish", "hardsigmoid", "requantize"};


bool is_byte(const Tensor& t) { return !is_float(t.dtype) && info(t.dtype).bits <= 8 && t.q.scale.size() <= 1 && t.data != nullptr; }

}  // namespace

std::int64_t vector_of(const Cell& cell) {
  std::int64_t most = cell.rule == "aten" ? 2 : 1;
  const auto take = [&](std::string_view text) {
    std::int64_t n = 0;
    const auto r = std::from_chars(text.data(), text.data() + text.size(), n);
    const bool fits = r.ec == std::errc() && r.ptr == text.data() + text.size() && n >= 0 && code_row % std::max<std::int64_t>(n, 1) == 0;
    most = fits && most ? std::max(most, n) : 0;
  };
  for (const char* key : {"vector", "vectors", "int16_vector"})
    if (const auto it = cell.with.find(key); it != cell.with.end()) take(it->second);
  for (const auto& stage : cell.stages) {  // "fixed R/N/TAIL EXPR"
    if (stage.rfind("fixed ", 0) != 0) continue;
    const std::string_view rule = std::string_view(stage).substr(6, stage.find(' ', 6) - 6);
    const auto first = rule.find('/');
    if (first != rule.npos) take(rule.substr(first + 1, rule.find('/', first + 1) - first - 1));
  }
  return most;
}

std::optional<CodeBytes> code_bytes(const StoredLayer& stored, const Operator& op) {
  const Layer& l = stored.layer;
  if (std::find(elementwise.begin(), elementwise.end(), op.name) == elementwise.end() || !stored.inputs.empty() || !stored.outputs.empty()) return std::nullopt;
  const Tensor *a = l.find("x"), *b = nullptr;
  if (!a) a = l.find("a"), b = l.find("b");
  if (!a || l.inputs.size() != (b ? 2 : 1) || l.outputs.size() != 1 || !l.has_out("y")) return std::nullopt;
  const Tensor& y = l.out();
  const auto fits = [&](const Tensor& t) { return is_byte(t) && t.shape == y.shape; };
  if (!fits(*a) || (b && !fits(*b)) || !fits(y) || y.size() == 0) return std::nullopt;
  const auto raw = [](const Tensor& t) { return reinterpret_cast<const std::uint8_t*>(t.data); };
  CodeBytes s{raw(*a), b ? raw(*b) : nullptr, raw(y), y.size(), y.size() / code_row * code_row, false};
  const auto plain = [](const Tensor& t) { return t.memory_layout.empty() || t.memory_layout == "NCHW"; };
  const bool alike = (!b || a->memory_layout == b->memory_layout) && (y.memory_layout.empty() || y.memory_layout == a->memory_layout);
  s.in_order = (plain(*a) && (!b || plain(*b)) && plain(y)) || (alike && s.body == s.n);  // whole rows are whole rows in any order
  return s;
}

/// Combinations of codes that occur in whole rows, ascending.
std::vector<std::uint32_t> occurring(const CodeBytes& s) {
  thread_local std::vector<std::uint8_t> seen;
  seen.assign(s.codes(), 0);
  if (s.b) {
    for (std::int64_t i = 0; i < s.body; ++i) seen[static_cast<std::size_t>(s.a[i]) << 8 | s.b[i]] = 1;
  } else {
    for (std::int64_t i = 0; i < s.body; ++i) seen[s.a[i]] = 1;
  }
  std::vector<std::uint32_t> codes;
  for (std::size_t c = 0; c < seen.size(); ++c)
    if (seen[c]) codes.push_back(static_cast<std::uint32_t>(c));
  return codes;
}

CodeRow::CodeRow(const CodeBytes& s, std::vector<std::uint32_t> codes, std::int64_t filled_to, bool last) : codes_(std::move(codes)) {
  const auto whole = static_cast<std::size_t>(filled_to);
  const std::size_t filled = (codes_.size() + whole - 1) / whole * whole, rest = last ? static_cast<std::size_t>(s.n - s.body) : 0;
  const auto put = [&](std::vector<std::uint8_t>& to, int shift, const std::uint8_t* tail) {
    to.reserve(filled + rest);
    for (std::size_t i = 0; i < filled; ++i) to.push_back(static_cast<std::uint8_t>(codes_[std::min(i, codes_.size() - 1)] >> shift));
    to.insert(to.end(), tail + s.body, tail + s.body + rest);
  };
  put(a_, s.b ? 8 : 0, s.a);
  if (s.b) put(b_, 0, s.b);
  y_.resize(filled);
  y_.insert(y_.end(), s.y + s.body, s.y + s.body + rest);
  body_ = filled;
}

void CodeRow::observe(const CodeTable& table) {
  for (std::size_t i = 0; i < codes_.size(); ++i) y_[i] = static_cast<std::uint8_t>(table[codes_[i]] & 0xFF);
}

Layer CodeRow::in_place_of(Layer l) const {
  for (auto* tensors : {&l.inputs, &l.outputs})
    for (auto& [port, t] : *tensors) {
      t.shape = {static_cast<std::int64_t>(size())};
      t.memory_layout.clear();
      t.stored_axes.clear();
      t.data = reinterpret_cast<const std::byte*>(tensors == &l.outputs ? y_.data() : port == "b" ? b_.data() : a_.data());
      t.owner = nullptr;
    }
  return l;
}

std::optional<Result> CodeRow::computed(const Operator& op, const Cell& cell, const Layer& layer) const {
  std::optional<Result> result = op.run(in_place_of(layer), cell);
  const auto it = result->outputs.find("y");
  if (it == result->outputs.end() || it->second.q.size() != size()) result.reset();
  return result;
}

bool CodeRow::given_by(const Operator& op, const Cell& cell, const Layer& as, const CodeTable& table) const {
  const auto result = computed(op, cell, as);
  if (!result) return false;
  const bool is_signed = info(as.out().dtype).min < 0;
  const Computed* c = &result->outputs.at("y");
  auto open = c->undefined.begin();
  for (std::size_t i = 0; i < size(); ++i) {
    const auto byte = static_cast<std::uint8_t>(i < body_ ? table[codes_[std::min(i, codes_.size() - 1)]] & 0xFF : observed(i));
    const std::int32_t stored = is_signed ? static_cast<std::int32_t>(static_cast<std::int8_t>(byte)) : byte;
    while (open != c->undefined.end() && open->index < static_cast<std::int64_t>(i)) ++open;
    const bool any = open != c->undefined.end() && open->index == static_cast<std::int64_t>(i) && stored >= open->lo && stored <= open->hi;
    if (c->q[i] != stored && !any) return false;
  }
  return true;
}

CodeTrial::CodeTrial(const CodeBytes& bytes, const CodeRow& all, const CodeTable& table) : all_(all), table_(table) {
  constexpr std::size_t tried = 1024;
  const auto& codes = all.codes();
  if (codes.size() <= 2 * tried) return;
  std::vector<std::uint32_t> some;
  for (std::size_t i = 0; i < tried; ++i) some.push_back(codes[i * codes.size() / tried]);
  sample_.emplace(bytes, std::move(some));
}

bool CodeTrial::given_by(const Operator& op, const Cell& cell, const Layer& as) const {
  return (!sample_ || sample_->given_by(op, cell, as, table_)) && all_.given_by(op, cell, as, table_);
}

}  // namespace lastbit
