// by_codes.cpp: see by_codes.hpp.
#include "verifier/by_codes.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "lib/error.hpp"
#include "lib/rules/sum.hpp"
#include "verifier/forms.hpp"

namespace lastbit {
namespace {

constexpr std::int64_t row = 1024;  // a multiple of every kernel's vector
constexpr std::int64_t tried = 1024;  // combinations that most rivals differ in
constexpr std::array<std::string_view, 17> elementwise{"add", "sub", "mul", "relu", "relu6", "clamp", "hardtanh", "threshold", "leaky_relu", "elu", "celu",
                                                       "gelu", "sigmoid", "tanh", "hardswish", "hardsigmoid", "requantize"};

bool is_byte(const Tensor& t) { return !is_float(t.dtype) && info(t.dtype).bits <= 8 && t.q.scale.size() <= 1 && t.data != nullptr; }

/// Elements of the vectors that a cell's kernel runs over, where an element's place decides how it is computed; 1: it does not; 0: not known.
std::int64_t vector_of(const Cell& cell) {
  std::int64_t most = cell.rule == "aten" ? 2 : 1;
  const auto take = [&](std::string_view text) {
    std::int64_t n = 0;
    const auto r = std::from_chars(text.data(), text.data() + text.size(), n);
    const bool fits = r.ec == std::errc() && r.ptr == text.data() + text.size() && n >= 0 && row % std::max<std::int64_t>(n, 1) == 0;
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

/// The tensors of a layer as bytes in one order.
struct Bytes {
  const std::uint8_t *a = nullptr, *b = nullptr, *y = nullptr;  // b: null for one operand
  std::int64_t n = 0, body = 0;                                 // body: whole rows
  bool in_order = false;                                        // elements lie as the runtime walked them

  bool allows(std::int64_t vector) const { return vector == 1 || (vector > 1 && in_order); }
  std::size_t codes() const { return b ? 1 << 16 : 1 << 8; }
  std::size_t code(std::int64_t i) const { return b ? static_cast<std::size_t>(a[i]) << 8 | b[i] : a[i]; }
};

std::optional<Bytes> bytes_of(const StoredLayer& stored, const Operator& op) {
  const Layer& l = stored.layer;
  if (std::find(elementwise.begin(), elementwise.end(), op.name) == elementwise.end() || !stored.inputs.empty() || !stored.outputs.empty()) return std::nullopt;
  const Tensor *a = l.find("x"), *b = nullptr;
  if (!a) a = l.find("a"), b = l.find("b");
  if (!a || l.inputs.size() != (b ? 2 : 1) || l.outputs.size() != 1 || !l.has_out("y")) return std::nullopt;
  const Tensor& y = l.out();
  const auto fits = [&](const Tensor& t) { return is_byte(t) && t.shape == y.shape; };
  if (!fits(*a) || (b && !fits(*b)) || !fits(y) || y.size() == 0) return std::nullopt;
  const auto raw = [](const Tensor& t) { return reinterpret_cast<const std::uint8_t*>(t.data); };
  Bytes s{raw(*a), b ? raw(*b) : nullptr, raw(y), y.size(), y.size() / row * row, false};
  const auto plain = [](const Tensor& t) { return t.memory_layout.empty() || t.memory_layout == "NCHW"; };
  const bool alike = (!b || a->memory_layout == b->memory_layout) && (y.memory_layout.empty() || y.memory_layout == a->memory_layout);
  s.in_order = (plain(*a) && (!b || plain(*b)) && plain(y)) || (alike && s.body == s.n);  // whole rows are whole rows in any order
  return s;
}

/// Elements in a row: combinations of codes, filled up to whole rows, then the layer's own last elements.
class Row {
 public:
  Row(const Bytes& s, const std::vector<std::uint32_t>& codes) : codes_(codes) {
    const std::size_t filled = (codes.size() + static_cast<std::size_t>(row) - 1) / static_cast<std::size_t>(row) * static_cast<std::size_t>(row), rest = static_cast<std::size_t>(s.n - s.body);
    const auto put = [&](std::vector<std::uint8_t>& to, int shift, const std::uint8_t* tail) {
      for (std::size_t i = 0; i < filled; ++i) to.push_back(static_cast<std::uint8_t>(codes[std::min(i, codes.size() - 1)] >> shift));
      to.insert(to.end(), tail + s.body, tail + s.body + rest);
    };
    put(a_, s.b ? 8 : 0, s.a);
    if (s.b) put(b_, 0, s.b);
    y_.resize(filled);
    y_.insert(y_.end(), s.y + s.body, s.y + s.n);
    body_ = filled;
  }
  std::size_t size() const { return a_.size(); }
  std::size_t body() const { return body_; }
  const std::vector<std::uint32_t>& codes() const { return codes_; }
  std::uint8_t observed(std::size_t i) const { return y_[i]; }
  /// What was observed where the combinations occur.
  void observe(const std::vector<std::uint16_t>& table) {
    for (std::size_t i = 0; i < codes_.size(); ++i) y_[i] = static_cast<std::uint8_t>(table[codes_[i]] & 0xFF);
  }

  /// The layer with these elements instead of its own; its facts stay.
  Layer in_place_of(Layer l) const {
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

 private:
  std::vector<std::uint32_t> codes_;
  std::vector<std::uint8_t> a_, b_, y_;
  std::size_t body_ = 0;
};

/// What the operator gives for a row; none where it is not of one value an element.
std::optional<Result> computed(const Row& r, const Operator& op, const Cell& cell, const Layer& layer) {
  std::optional<Result> result = op.run(r.in_place_of(layer), cell);
  const auto it = result->outputs.find("y");
  if (it == result->outputs.end() || it->second.q.size() != r.size()) result.reset();
  return result;
}

/// Combinations of codes that occur in whole rows, ascending.
std::vector<std::uint32_t> occurring(const Bytes& s) {
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

/// How often each combination of a row is an element: none for those that fill it up, once for the layer's last elements.
std::vector<std::int64_t> times_of(const Row& r, const Bytes& s) {
  std::vector<std::int64_t> all(s.codes()), times(r.size());
  for (std::int64_t i = 0; i < s.body; ++i) ++all[s.code(i)];
  for (std::size_t i = 0; i < r.codes().size(); ++i) times[i] = all[r.codes()[i]];
  for (std::size_t i = r.body(); i < r.size(); ++i) times[i] = 1;
  return times;
}

/// By code: the value, and what happened on the way.
using Table = std::vector<std::uint16_t>;

/// Counts of events, six at a time: ten bits each hold what a chunk adds up to.
constexpr std::int64_t chunk = 512;
constexpr int events_counted = 6;
std::uint64_t spread(unsigned events) {
  std::uint64_t s = 0;
  for (int k = 0; k < events_counted; ++k) s |= std::uint64_t{events >> k & 1} << 10 * k;
  return s;
}

/// Whether every element of the whole rows is the table's; adds to the counts.
bool all_as_in(const Table& table, const Bytes& s, std::array<std::int64_t, events_counted>& counts) {
  std::array<std::uint64_t, 256> spreads;
  for (unsigned e = 0; e < spreads.size(); ++e) spreads[e] = spread(e);
  for (std::int64_t from = 0; from < s.body; from += chunk) {
    unsigned differ = 0;
    std::uint64_t sum = 0;
    const auto look = [&](std::size_t code, std::int64_t i) {
      const unsigned t = table[code];
      differ |= (t ^ s.y[i]) & 0xFF;
      sum += spreads[t >> 8];
    };
    if (s.b)
      for (std::int64_t i = from; i < from + chunk; ++i) look(static_cast<std::size_t>(s.a[i]) << 8 | s.b[i], i);
    else
      for (std::int64_t i = from; i < from + chunk; ++i) look(s.a[i], i);
    if (differ) return false;
    for (std::size_t k = 0; k < events_counted; ++k) counts[k] += static_cast<std::int64_t>(sum >> 10 * k & 1023);
  }
  return true;
}
static_assert(row % chunk == 0);

/// Where a sum's table is the nearest integer to the real number, and the real number is not near another: what every rule gives that is
/// this near (sum_doubt). Keeps the other combinations.
std::vector<std::uint32_t> near_boundaries(const Layer& l, const Operator& op, const std::vector<std::uint32_t>& codes, const Table& table) {
  const Tensor &a = l.in("a"), &b = l.in("b"), &y = l.out();
  const double A = a.q.scale_of(0) / y.q.scale_of(0), B = (op.name == "sub" ? -1 : 1) * b.q.scale_of(0) / y.q.scale_of(0), zo = y.q.zero_point_of(0);
  const Range range = stored_range(y);
  const auto value = [](const Tensor& t, std::uint32_t code) { return static_cast<double>(info(t.dtype).min < 0 ? static_cast<std::int8_t>(code & 0xFF) : static_cast<std::int64_t>(code & 0xFF)); };
  std::array<double, 256> xa, xb;
  for (std::uint32_t c = 0; c < 256; ++c) xa[c] = A * (value(a, c) - a.q.zero_point_of(0)), xb[c] = B * (value(b, c) - b.q.zero_point_of(0)) + zo;
  std::vector<std::uint32_t> kept;
  for (const auto code : codes) {
    const double v = xa[code >> 8] + xb[code & 0xFF] + 0.5, whole = std::floor(v);
    const bool far = v - whole > sum_doubt && whole + 1 - v > sum_doubt;
    const double nearest = std::clamp(whole, static_cast<double>(range.min), static_cast<double>(range.max));
    if (!far || nearest != value(y, table[code])) kept.push_back(code);
  }
  return kept;
}

/// Whether the rival gives, in the whole rows' combinations and in the last elements, what was observed.
bool gives(const Row& r, const Table& table, const Operator& op, const Cell& cell, const Layer& as, bool is_signed) {
  const auto result = computed(r, op, cell, as);
  if (!result) return false;
  const Computed* c = &result->outputs.at("y");
  const auto& codes = r.codes();
  auto open = c->undefined.begin();
  for (std::size_t i = 0; i < r.size(); ++i) {
    const auto byte = static_cast<std::uint8_t>(i < r.body() ? table[codes[std::min(i, codes.size() - 1)]] & 0xFF : r.observed(i));
    const std::int32_t observed = is_signed ? static_cast<std::int32_t>(static_cast<std::int8_t>(byte)) : byte;
    while (open != c->undefined.end() && open->index < static_cast<std::int64_t>(i)) ++open;
    const bool any = open != c->undefined.end() && open->index == static_cast<std::int64_t>(i) && observed >= open->lo && observed <= open->hi;
    if (c->q[i] != observed && !any) return false;
  }
  return true;
}

}  // namespace

std::optional<Streamed> judge_codes(const StoredLayer& stored, const Operator& op, const Cell& cell, const StreamOptions& options) {
  const auto rivals = options.rivals;
  const auto bytes = bytes_of(stored, op);
  if (!bytes || !bytes->allows(vector_of(cell))) return std::nullopt;
  const Layer& layer = stored.layer;
  const bool is_signed = info(layer.out().dtype).min < 0;
  Row all(*bytes, occurring(*bytes));
  const auto result = computed(all, op, cell, layer);
  if (!result) return std::nullopt;
  const Computed* own = &result->outputs.at("y");
  if (!own->undefined.empty() || own->chosen) return std::nullopt;
  const auto events_of = [&](std::size_t i) { return own->events.empty() ? Events{0} : own->events[i]; };
  const auto& codes = all.codes();
  Table table(bytes->codes());
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::int32_t q = own->q[i];
    if (q < info(layer.out().dtype).min || q > info(layer.out().dtype).max) return std::nullopt;
    const auto entry = static_cast<std::uint16_t>(events_of(i) << 8 | (q & 0xFF));
    if (i < codes.size()) table[codes[i]] = entry;
    else if (i >= all.body() && (entry & 0xFF) != all.observed(i)) return std::nullopt;
  }
  std::array<std::int64_t, events_counted> counts{};
  if (!all_as_in(table, *bytes, counts)) return std::nullopt;
  for (std::size_t i = all.body(); i < all.size(); ++i)
    for (std::size_t k = 0; k < events_counted; ++k) counts[k] += events_of(i) >> k & 1;

  Streamed s;
  s.kernel = "codes";
  s.elements = bytes->n;
  s.events = {counts[0], counts[1], counts[2], counts[3], counts[4], counts[5], 0};
  s.acc_min = result->acc_min;  // the row has every combination that the layer has, and no other
  s.acc_max = result->acc_max;
  s.alike.resize(rivals.size());
  if (options.open) options.open->assign(rivals.size(), false);
  if ((options.exact || options.float_form) && op.real) {
    all.observe(table);
    const Layer l = all.in_place_of(layer);
    const auto times = times_of(all, *bytes);
    const Real real = op.real(l, *result);
    if (options.exact && real.exact) s.exact = exact_form(l, *own, real, times);
    if (options.float_form) s.float_form = float_form(l, real, times);
  }

  const bool sum = op.name == "add" || op.name == "sub";
  std::optional<Row> sample, near;
  for (std::size_t k = 0; k < rivals.size(); ++k) {
    const Cell& c = rivals[k].cell;
    if (c.rule == cell.rule && c.stages == cell.stages && c.with == cell.with) {
      s.alike[k] = true;
      continue;
    }
    if (!bytes->allows(vector_of(c))) {
      (*options.open)[k] = true;
      continue;
    }
    try {
      const Layer as = as_rival(layer, op, rivals[k]);
      if (sum && near_real(as, c)) {
        if (!near) near.emplace(*bytes, near_boundaries(layer, op, codes, table));
        s.alike[k] = gives(*near, table, op, c, as, is_signed);
        continue;
      }
      if (static_cast<std::int64_t>(codes.size()) > 2 * tried) {
        if (!sample) {
          std::vector<std::uint32_t> some;
          for (std::size_t i = 0; i < static_cast<std::size_t>(tried); ++i) some.push_back(codes[i * codes.size() / static_cast<std::size_t>(tried)]);
          sample.emplace(*bytes, some);
        }
        if (!gives(*sample, table, op, c, as, is_signed)) continue;
      }
      s.alike[k] = gives(all, table, op, c, as, is_signed);
    } catch (const Error&) {
      continue;  // the rival cannot compute this layer
    }
  }
  return s;
}

}  // namespace lastbit
