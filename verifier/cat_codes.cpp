// cat_codes.cpp: see cat_codes.hpp.
//
// A stand-in is computed instead of the layer: every part has all 256 codes, once in a block of a kernel's vector along dim (the body) and once behind
// it (the tail), so that the operator's own rule gives whatever an element of that part, code and place has.
#include "verifier/cat_codes.hpp"

#include <algorithm>
#include <array>
#include <numeric>

#include "lib/error.hpp"
#include "lib/rules/aten_kernel.hpp"
#include "verifier/event_counts.hpp"
#include "verifier/forms.hpp"

namespace lastbit {
namespace {

constexpr std::size_t body = 0, tail = 1;
constexpr std::int64_t codes = 256;

/// One input and where it lies in the output: `outer` runs of `extent * inner` bytes.
struct Part {
  const std::uint8_t* x;
  std::int64_t extent;
};
struct Parts {
  std::vector<Part> all;
  const std::uint8_t* y;
  std::int64_t outer, inner, n;
};

std::optional<Parts> parts_of(const StoredLayer& stored, const Operator& op) {
  const Layer& l = stored.layer;
  if (op.name != "cat" || !stored.inputs.empty() || !stored.outputs.empty() || l.outputs.size() != 1 || !l.has_out("y")) return std::nullopt;
  const Tensor& y = l.out();
  const auto is_byte = [](const Tensor& t) { return !is_float(t.dtype) && info(t.dtype).bits <= 8 && t.q.scale.size() <= 1 && t.data; };
  const auto raw = [](const Tensor& t) { return reinterpret_cast<const std::uint8_t*>(t.data); };
  if (!is_byte(y) || y.size() == 0) return std::nullopt;
  const std::int64_t rank = y.rank(), given = l.attributes.integer("dim", 0), dim = given < 0 ? given + rank : given;
  if (dim < 0 || dim >= rank) return std::nullopt;
  const auto product = [&](std::int64_t from, std::int64_t to) { return std::accumulate(y.shape.begin() + from, y.shape.begin() + to, std::int64_t{1}, std::multiplies<>()); };
  Parts p{{}, raw(y), product(0, dim), product(dim + 1, rank), y.size()};
  std::int64_t extent = 0;
  while (const Tensor* t = l.find("x" + std::to_string(p.all.size()))) {
    if (!is_byte(*t) || t->dtype != y.dtype || t->rank() != rank) return std::nullopt;
    p.all.push_back({raw(*t), t->dim(static_cast<int>(dim))});
    extent += p.all.back().extent;
  }
  if (p.all.size() != l.inputs.size() || extent != y.dim(static_cast<int>(dim))) return std::nullopt;
  return p;
}

/// The stand-in's width along dim, of every part: a block and one behind it, or one alone.
std::int64_t block_of(const Layer& layer, const Cell& cell) { return cell.rule == "aten_nhwc" ? std::max<std::int64_t>(0, AtenKernel(layer, cell, layer.out()).block()) : 0; }

class StandIn {
 public:
  StandIn(Layer layer, const Cell& cell, std::size_t parts) : layer_(std::move(layer)), block_(block_of(layer_, cell)), width_(block_ + 1), parts_(static_cast<std::int64_t>(parts)) {
    x_.resize(static_cast<std::size_t>(codes * width_));
    for (std::size_t i = 0; i < x_.size(); ++i) x_[i] = static_cast<std::uint8_t>(i / static_cast<std::size_t>(width_));
    y_.resize(static_cast<std::size_t>(codes * width_ * parts_));
    const auto put = [](Tensor& t, Shape shape, const std::vector<std::uint8_t>& bytes) {
      t.shape = std::move(shape);
      t.memory_layout.clear();
      t.stored_axes.clear();
      t.owner = nullptr;
      t.data = reinterpret_cast<const std::byte*>(bytes.data());
    };
    for (auto& [port, t] : layer_.inputs) put(t, {codes, width_}, x_);
    put(layer_.outputs.at("y"), {codes, width_ * parts_}, y_);
    layer_.attributes.values["dim"] = std::int64_t{1};
    result_ = op().run(layer_, cell);
    const Computed& c = result_.outputs.at("y");
    known_ = c.undefined.empty() && !c.chosen && c.q.size() == y_.size();
  }
  StandIn(const StandIn&) = delete;

  bool known() const { return known_; }
  std::int64_t block() const { return block_; }
  std::size_t at(std::size_t part, std::size_t code, std::size_t place) const {
    return static_cast<std::size_t>((static_cast<std::int64_t>(code) * parts_ + static_cast<std::int64_t>(part)) * width_ + (place == tail ? block_ : 0));
  }
  std::int32_t value(std::size_t part, std::size_t code, std::size_t place) const { return computed().q[at(part, code, place)]; }
  Events events(std::size_t part, std::size_t code, std::size_t place) const { return computed().events.empty() ? Events{0} : computed().events[at(part, code, place)]; }
  const Computed& computed() const { return result_.outputs.at("y"); }
  const Result& result() const { return result_; }
  const Layer& layer() const { return layer_; }
  std::size_t size() const { return y_.size(); }
  /// What the stand-in's output holds as observed.
  void observe() {
    for (std::size_t i = 0; i < y_.size(); ++i) y_[i] = static_cast<std::uint8_t>(computed().q[i] & 0xFF);
  }

 private:
  static const Operator& op() { return *find_operator("cat"); }

  Layer layer_;
  std::int64_t block_, width_, parts_;
  std::vector<std::uint8_t> x_, y_;
  Result result_;
  bool known_ = false;
};

using Counts = std::array<std::array<std::int64_t, codes>, 2>;  // by place and code

/// How often each code occurs in a part; false when some element is not the table's.
bool count(const Parts& p, std::size_t part, std::int64_t from, std::int64_t block, const std::array<std::array<std::uint8_t, codes>, 2>& table, Counts& counts) {
  const Part& x = p.all[part];
  const std::int64_t whole = p.n / p.outer, run = x.extent * p.inner, in_body = block ? x.extent / block * block * p.inner : 0;
  unsigned differ = 0;
  for (std::int64_t o = 0; o < p.outer; ++o) {
    const std::uint8_t *q = x.x + o * run, *y = p.y + o * whole + from * p.inner;
    const auto look = [&](std::int64_t begin, std::int64_t end, std::size_t place) {
      for (std::int64_t i = begin; i < end; ++i) {
        differ |= static_cast<unsigned>(table[place][q[i]] ^ y[i]);
        ++counts[place][q[i]];
      }
    };
    look(0, in_body, body);
    look(in_body, run, tail);
    if (differ) return false;
  }
  return true;
}

}  // namespace

std::optional<Streamed> judge_cat(const StoredLayer& stored, const Operator& op, const Cell& cell, const StreamOptions& options) {
  const auto parts = parts_of(stored, op);
  if (!parts) return std::nullopt;
  const Layer& layer = stored.layer;
  const std::size_t n = parts->all.size();
  StandIn own(layer, cell, n);
  if (!own.known() || parts->n < static_cast<std::int64_t>(own.size())) return std::nullopt;
  const Range range = stored_range(layer.out());
  std::vector<Counts> counts(n);
  std::int64_t from = 0;
  for (std::size_t k = 0; k < n; ++k) {
    std::array<std::array<std::uint8_t, codes>, 2> table;
    for (std::size_t place : {body, tail})
      for (std::size_t c = 0; c < codes; ++c) {
        const std::int32_t q = own.value(k, c, place);
        if (q < range.min || q > range.max) return std::nullopt;
        table[place][c] = static_cast<std::uint8_t>(q & 0xFF);
      }
    if (!count(*parts, k, from, own.block(), table, counts[k])) return std::nullopt;
    from += parts->all[k].extent;
  }

  Streamed s;
  s.kernel = "codes";
  s.elements = parts->n;
  std::vector<std::int64_t> times(own.size());
  for (std::size_t k = 0; k < n; ++k)
    for (std::size_t c = 0; c < codes; ++c)
      for (std::size_t place : {body, tail})
        if (const std::int64_t here = counts[k][place][c]) {
          times[own.at(k, c, place)] = here;
          add_events(s.events, own.events(k, c, place), here);
        }
  if ((options.exact || options.float_form) && op.real) {
    own.observe();
    const Real real = op.real(own.layer(), own.result());
    if (options.exact && real.exact) s.exact = exact_form(own.layer(), own.computed(), real, times);
    if (options.float_form) s.float_form = float_form(own.layer(), real, times);
  }

  s.alike.resize(options.rivals.size());
  if (options.open) options.open->assign(options.rivals.size(), false);
  for (std::size_t r = 0; r < options.rivals.size(); ++r) {
    const RivalCell& rival = options.rivals[r];
    if (same_rule(rival.cell, cell)) {
      s.alike[r] = true;
      continue;
    }
    try {
      const StandIn other(as_rival(layer, op, rival), rival.cell, n);
      if (!other.known()) {
        (*options.open)[r] = true;
        continue;
      }
      // Where its body is not the layer's own, a code must have one value in both of its places to be told from counts.
      bool alike = true, open = false;
      for (std::size_t k = 0; k < n && alike; ++k)
        for (std::size_t c = 0; c < codes && alike; ++c)
          for (std::size_t place : {body, tail}) {
            if (!counts[k][place][c]) continue;
            const std::int32_t observed = own.value(k, c, place), in_body = other.block() ? other.value(k, c, body) : other.value(k, c, tail), in_tail = other.value(k, c, tail);
            if (other.block() == own.block()) alike = alike && other.value(k, c, place) == observed;
            else if (in_body == in_tail) alike = alike && in_body == observed;
            else open = true;
          }
      s.alike[r] = alike && !open;
      (*options.open)[r] = alike && open;
    } catch (const Error&) {
      continue;  // the rival cannot compute this layer
    }
  }
  return s;
}

}  // namespace lastbit
