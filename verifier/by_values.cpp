// by_values.cpp: see by_values.hpp.
#include "verifier/by_values.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "lib/error.hpp"
#include "reports/rounded.hpp"
#include "verifier/code_rows.hpp"
#include "verifier/event_counts.hpp"
#include "verifier/forms.hpp"

namespace lastbit {
namespace {

// |v| <= 1024 where a clamp does not decide; the reciprocal, the scale, the product and the sum are rounded to float32.
constexpr double doubt = 0x1p-11, tame = 0x1p20;
static_assert(4 * 0x1p-24 * 1024 < doubt);

/// A rule that rounds x / scale to the nearest integer.
bool is_nearest(const Cell& cell) {
  const auto nearest = [&](const char* key) {
    const std::string rule = cell.get(key, "outside");
    return rule != "multiply_away" && rule.find('/') == std::string::npos;  // of x * scale; of a rounding that no runtime is known for
  };
  return cell.rule == "quantize" && nearest("rounding") && nearest("tail") && !cell.with.count("edges");
}

/// Whether the clamp comes before the rounding: what it cuts begins at the ends of the range themselves.
bool clamps_first(const Cell& cell) { return cell.get("rounding", "outside") == "divide_even" || cell.get("tail", "outside") == "divide_even"; }

struct Values {
  const float* x;
  const std::uint8_t* y;
  std::int64_t n, body;        // body: whole rows
  bool is_signed;
  double scale, zero_point, low, high;
  std::int64_t observed(std::int64_t i) const { return is_signed ? static_cast<std::int8_t>(y[i]) : y[i]; }
};

std::optional<Values> values_of(const StoredLayer& stored) {
  const Layer& l = stored.layer;
  if (l.op != "quantize" || !stored.inputs.empty() || !stored.outputs.empty() || l.inputs.size() != 1 || l.outputs.size() != 1) return std::nullopt;
  const Tensor &x = l.in("x"), &y = l.out();
  const bool bytes = !is_float(y.dtype) && info(y.dtype).bits == 8 && y.q.scale.size() == 1 && y.q.group_size == 0 && !y.q.float_zero_point;
  if (x.dtype != DType::float32 || !bytes || !x.data || !y.data || y.size() == 0 || x.size() != y.size()) return std::nullopt;
  const auto plain = [](const Tensor& t) { return t.memory_layout.empty() || t.memory_layout == "NCHW"; };
  if (!plain(x) || !plain(y) || !x.stored_axes.empty() || !y.stored_axes.empty()) return std::nullopt;
  const Range range = stored_range(y);
  Values v{reinterpret_cast<const float*>(x.data), reinterpret_cast<const std::uint8_t*>(y.data), y.size(), y.size() / code_row * code_row, info(y.dtype).min < 0,
           y.q.scale_of(0), y.q.zero_point_of(0), static_cast<double>(range.min), static_cast<double>(range.max)};
  const bool usual = v.scale >= 0x1p-100 && v.scale <= 0x1p100 && v.zero_point == std::floor(v.zero_point) && v.zero_point >= v.low && v.zero_point <= v.high && v.low >= -128 && v.high <= 255;
  if (!usual || reinterpret_cast<std::uintptr_t>(x.data) % alignof(float) != 0) return std::nullopt;
  return v;
}

/// Elements of whole rows that are near; what the others come to. None when one of those is not the nearest value.
struct Far {
  std::vector<std::int64_t> near;
  std::int64_t clamped = 0;
};
std::optional<Far> far_values(const Values& s, bool first) {
  Far far;
  bool differ = false;
  const double low = first ? s.low : s.low - 0.5, high = first ? s.high : s.high + 0.5;
  for (std::int64_t i = 0; i < s.body; ++i) {
    const double x = static_cast<double>(s.x[i]), v = x / s.scale + s.zero_point, floor = std::floor(v);
    const bool near = !(std::fabs(v) < tame) || std::fabs(v - floor - 0.5) <= doubt || (first && x != 0 && (std::fabs(v - low) <= doubt || std::fabs(v - high) <= doubt));
    if (near) {
      far.near.push_back(i);
      continue;
    }
    differ |= std::clamp(v - floor < 0.5 ? floor : floor + 1, s.low, s.high) != static_cast<double>(s.observed(i));
    far.clamped += v < low || v > high;
  }
  if (differ) return std::nullopt;
  return far;
}

/// Near elements filled up to whole rows, then the layer's last ones.
class ValueRow {
 public:
  ValueRow(const Values& s, const std::vector<std::int64_t>& near) : body_((static_cast<std::int64_t>(near.size()) + code_row - 1) / code_row * code_row), near_(near.size()) {
    const auto put = [&](std::int64_t i) { x_.push_back(s.x[i]), y_.push_back(s.y[i]); };
    for (const auto i : near) put(i);
    while (static_cast<std::int64_t>(x_.size()) < body_) put(near.back());
    for (std::int64_t i = s.body; i < s.n; ++i) put(i);
  }
  std::size_t size() const { return x_.size(); }
  /// Whether the element stands for one of the layer's.
  bool real(std::size_t i) const { return i < near_ || static_cast<std::int64_t>(i) >= body_; }
  std::uint8_t observed(std::size_t i) const { return y_[i]; }
  Layer in_place_of(Layer l) const {
    for (auto* t : {&l.inputs.at("x"), &l.outputs.at("y")}) {
      t->shape = {static_cast<std::int64_t>(size())};
      t->memory_layout.clear();
      t->owner = nullptr;
    }
    l.inputs.at("x").data = reinterpret_cast<const std::byte*>(x_.data());
    l.outputs.at("y").data = reinterpret_cast<const std::byte*>(y_.data());
    return l;
  }
  /// Whether these are the observed values.
  bool given_by(const Computed& c) const {
    if (!c.undefined.empty() || c.q.size() != size()) return false;
    for (std::size_t i = 0; i < size(); ++i)
      if (real(i) && (c.q[i] & 0xFF) != y_[i]) return false;
    return true;
  }

 private:
  std::int64_t body_;
  std::size_t near_;
  std::vector<float> x_;
  std::vector<std::uint8_t> y_;
};

/// As exact_form() adds them up, of what is observed everywhere.
ExactSummary errors_of(const Values& s) {
  ExactSummary e;
  double sum = 0;
  std::int64_t counted = 0;
  for (std::int64_t i = 0; i < s.n; ++i) {
    const double x = static_cast<double>(s.x[i]);
    if (!std::isfinite(x)) continue;
    const double error = static_cast<double>(s.observed(i)) - std::clamp(x / s.scale + s.zero_point, s.low, s.high);
    add_to_histogram(e.histogram, error, 1);
    e.max_error_lsb = std::max(e.max_error_lsb, std::fabs(error));
    sum += error;
    ++counted;
  }
  e.max_error_lsb = rounded(e.max_error_lsb);
  e.mean_error_lsb = rounded(counted ? sum / static_cast<double>(counted) : 0);
  return e;
}

}  // namespace

std::optional<Streamed> judge_values(const StoredLayer& stored, const Operator& op, const Cell& cell, const StreamOptions& options) {
  const auto values = values_of(stored);
  if (!values || !is_nearest(cell) || vector_of(cell) == 0) return std::nullopt;
  const auto far = far_values(*values, clamps_first(cell));
  if (!far) return std::nullopt;
  const Layer& layer = stored.layer;
  const ValueRow row(*values, far->near);
  Streamed s;
  s.kernel = "values";
  s.elements = values->n;
  s.events.clamped = far->clamped;
  const auto rivals = options.rivals;
  s.alike.resize(rivals.size());
  if (options.open) options.open->assign(rivals.size(), false);

  std::optional<Result> own;
  const Layer short_layer = row.in_place_of(layer);
  if (row.size() > 0) {
    own = op.run(short_layer, cell);
    const Computed& y = own->outputs.at("y");
    if (own->acc_min || own->acc_max || !row.given_by(y)) return std::nullopt;
    for (std::size_t i = 0; i < y.events.size(); ++i)
      if (row.real(i)) add_events(s.events, y.events[i]);
  }
  if ((options.exact || options.float_form) && op.real) {
    if (options.exact) s.exact = errors_of(*values);
    if (options.float_form) s.float_form.emplace();
    if (row.size() > 0) {
      std::vector<std::int64_t> times(row.size());
      for (std::size_t i = 0; i < times.size(); ++i) times[i] = row.real(i);
      const Real real = op.real(short_layer, *own);
      if (options.exact) {
        const ExactSummary decided = exact_form(short_layer, own->outputs.at("y"), real, times);
        s.exact.ties = decided.ties;
        s.exact.not_correctly_rounded = decided.not_correctly_rounded;
      }
      if (options.float_form) s.float_form = float_form(short_layer, real, times);
    }
  }
  for (std::size_t k = 0; k < rivals.size(); ++k) {
    const Cell& c = rivals[k].cell;
    if (same_rule(c, cell)) s.alike[k] = true;
    else if (!is_nearest(c) || vector_of(c) == 0) (*options.open)[k] = true;
    else {
      try {
        const Result other = op.run(row.in_place_of(as_rival(layer, op, rivals[k])), c);
        s.alike[k] = row.given_by(other.outputs.at("y"));
      } catch (const Error&) {
        continue;  // the rival cannot compute this layer
      }
    }
  }
  return s;
}

}  // namespace lastbit
