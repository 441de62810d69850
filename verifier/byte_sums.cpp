// byte_sums.cpp: see byte_sums.hpp.
#include "verifier/byte_sums.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "lib/error.hpp"
#include "lib/kernels/nearness.hpp"
#include "lib/rules/sum.hpp"
#include "verifier/code_rows.hpp"
#include "verifier/exact_blocks.hpp"
#include "verifier/event_counts.hpp"
#include "verifier/forms.hpp"

namespace lastbit {
namespace {

/// Combinations of codes near a boundary: how often each is compared and measured there, and what was observed.
struct NearCodes {
  std::vector<std::uint32_t> times, measured;
  std::vector<std::uint8_t> observed;
  std::vector<std::uint32_t> occurring;   // in the order in which they came up

  void clear() {
    times.resize(1 << 16), measured.resize(1 << 16), observed.resize(1 << 16);
    for (const auto code : occurring) times[code] = measured[code] = 0;
    occurring.clear();
  }

  /// False: the same combination has two values.
  bool add(std::uint32_t code, std::uint8_t y) {
    occurs(code);
    auto& seen = observed[code];
    if (times[code]++ == 0) seen = y;
    return seen == y;
  }
  void measure(std::uint32_t code) {
    occurs(code);
    ++measured[code];
  }

 private:
  void occurs(std::uint32_t code) {
    if (!times[code] && !measured[code]) occurring.push_back(code);
  }
};

/// A rival that is not near the real sum, or another arithmetic whose doubt is known.
struct RivalSum {
  std::size_t k;
  Layer as;
  double doubt;
};

class Sums {
 public:
  Sums(const CodeBytes& bytes, const Layer& layer, int sign, double doubt) : bytes_(bytes) {
    const Tensor &a = layer.in("a"), &b = layer.in("b"), &y = layer.out();
    const auto raw = [](const std::uint8_t* p) { return reinterpret_cast<const std::byte*>(p); };
    const auto is_signed = [](const Tensor& t) { return info(t.dtype).min < 0; };
    const double so = y.q.scale_of(0), A = a.q.scale_of(0) / so, B = sign * b.q.scale_of(0) / so;
    sums_ = {raw(bytes.a), raw(bytes.b), is_signed(a), is_signed(b), A, B, y.q.zero_point_of(0) - A * a.q.zero_point_of(0) - B * b.q.zero_point_of(0)};
    const Range range = stored_range(y);
    request_.stored = raw(bytes.y);
    request_.is_signed = is_signed(y);
    request_.low = static_cast<double>(range.min), request_.high = static_cast<double>(range.max);
    request_.doubt = request_.bound = doubt;
  }

  /// What the exact form's totals say.
  ExactSummary summary(const NearTotals& t) const {
    const double inside = sums_.a_step * static_cast<double>(t.first) + sums_.b_step * static_cast<double>(t.second) + sums_.offset * static_cast<double>(t.elements - t.below - t.above);
    return summary_of(t, request_.low, request_.high, inside);
  }

  /// What lies far from the boundaries, compared; false: an element differs.
  bool compare_far(NearCodes& near, ByteSumTotals& totals) const {
    return each(bytes_.body, near_most, [&](const ByteSums& sums, const NearRequest& r, std::int64_t from) {
      std::array<std::uint16_t, near_most> at;
      const std::int64_t found = compare(sums, r, at.data(), totals);
      bool same = !totals.differ;
      for (std::int64_t i = 0; i < found; ++i) {
        const std::int64_t e = from + at[static_cast<std::size_t>(i)];
        same = near.add(static_cast<std::uint32_t>(bytes_.code(e)), bytes_.y[e]) && same;
      }
      return same;
    });
  }

  /// The exact form's totals over all elements; what is near, to be decided, by combination and among the last elements.
  NearTotals measure_all(NearCodes& near, std::vector<std::int64_t>& last) const {
    NearTotals totals;
    last.assign(static_cast<std::size_t>(bytes_.n - bytes_.body), 0);
    each(bytes_.n, near_together, [&](const ByteSums& sums, const NearRequest& r, std::int64_t from) {
      std::array<std::uint16_t, near_together> at;
      const std::int64_t found = measure(sums, r, at.data(), totals);
      for (std::int64_t i = 0; i < found; ++i) {
        const std::int64_t e = from + at[static_cast<std::size_t>(i)];
        if (e < bytes_.body) near.measure(static_cast<std::uint32_t>(bytes_.code(e)));
        else last[static_cast<std::size_t>(e - bytes_.body)] = 1;
      }
      return true;
    });
    return totals;
  }

 private:
  template <class F>
  bool each(std::int64_t n, std::int64_t most, F f) const {
    for (std::int64_t from = 0; from < n; from += most) {
      ByteSums sums = sums_;
      NearRequest r = request_;
      sums.a += from, sums.b += from, r.stored += from;
      r.n = std::min(most, n - from);
      if (!f(sums, r, from)) return false;
    }
    return true;
  }

  const CodeBytes& bytes_;
  ByteSums sums_;
  NearRequest request_;
};

/// What was observed, by every combination that occurs.
CodeTable observed_table(const CodeBytes& bytes) {
  CodeTable table(bytes.codes());
  for (std::int64_t i = 0; i < bytes.body; ++i) table[bytes.code(i)] = bytes.y[i];
  return table;
}

}  // namespace

std::optional<Streamed> judge_byte_sums(const StoredLayer& stored, const Operator& op, const Cell& cell, const StreamOptions& options) {
  if ((op.name != "add" && op.name != "sub") || cell.rule == "gemmlowp") return std::nullopt;  // gemmlowp's own steps tie anywhere
  const auto bytes = code_bytes(stored, op);
  if (!bytes || !bytes->b || !bytes->allows(vector_of(cell)) || bytes->n > std::numeric_limits<std::uint32_t>::max()) return std::nullopt;
  const Layer& layer = stored.layer;
  const auto rivals = options.rivals;
  double doubt = near_doubt(layer, cell);
  if (std::isinf(doubt)) return std::nullopt;
  const double floats = float_sum_doubt(layer);
  doubt = std::max(doubt, floats);

  Streamed s;
  s.alike.resize(rivals.size());
  if (options.open) options.open->assign(rivals.size(), false);
  std::vector<RivalSum> others;
  for (std::size_t k = 0; k < rivals.size(); ++k) {
    const Cell& c = rivals[k].cell;
    if (same_rule(c, cell)) s.alike[k] = true;
    else if (!bytes->allows(vector_of(c))) (*options.open)[k] = true;
    else {
      try {
        Layer as = as_rival(layer, op, rivals[k]);
        const double d = near_doubt(as, c);
        if (std::isfinite(d)) doubt = std::max(doubt, d);
        others.push_back({k, std::move(as), d});
      } catch (const Error&) {
        continue;  // the rival cannot compute this layer
      }
    }
  }

  // The kernel's own 4 roundings are of at most twice the sum of all magnitudes: fewer than the float form's 16.
  const Sums sums(*bytes, layer, op.name == "sub" ? -1 : 1, doubt + floats);
  thread_local NearCodes near;
  near.clear();
  ByteSumTotals far;
  if (!sums.compare_far(near, far)) return std::nullopt;
  const bool wants_exact = options.exact && op.real, wants_float = options.float_form && op.real;
  std::vector<std::int64_t> exact_last;
  const NearTotals measured = wants_exact ? sums.measure_all(near, exact_last) : NearTotals{};
  std::vector<std::uint32_t> codes = near.occurring;
  std::sort(codes.begin(), codes.end());
  CodeRow row(*bytes, codes);
  CodeTable table(row.size() > 0 ? bytes->codes() : 0);
  const auto& type = info(layer.out().dtype);
  const std::size_t body = row.body();
  std::optional<Result> result;
  s.events.clamped = far.clamped;
  if (row.size() > 0) {
    result = row.computed(op, cell, layer);
    if (!result || result->acc_min || result->acc_max) return std::nullopt;
    const Computed& own = result->outputs.at("y");
    if (!own.undefined.empty() || own.chosen) return std::nullopt;
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i >= codes.size() && i < body) continue;  // fills the row up
      const std::int32_t q = own.q[i];
      if (q < type.min || q > type.max) return std::nullopt;
      const bool last = i >= body;
      const std::int64_t times = last ? 1 : near.times[codes[i]];
      if ((q & 0xFF) != (last ? row.observed(i) : near.observed[codes[i]]) && times) return std::nullopt;
      if (!last) table[codes[i]] = static_cast<std::uint16_t>(q & 0xFF);
      if (!own.events.empty()) add_events(s.events, own.events[i], times);
    }
  }
  s.kernel = "byte sums";
  s.elements = bytes->n;

  if (wants_exact || wants_float) {
    row.observe(table);
    const Layer l = row.in_place_of(layer);
    const Real real = row.size() ? op.real(l, *result) : Real{};
    std::vector<std::int64_t> times(row.size());
    if (wants_exact) s.exact = sums.summary(measured);
    if (wants_exact && row.size()) {
      for (std::size_t i = 0; i < codes.size(); ++i) times[i] = near.measured[codes[i]];
      std::copy(exact_last.begin(), exact_last.end(), times.begin() + static_cast<std::ptrdiff_t>(body));
      const ExactSummary decided = exact_form(l, result->outputs.at("y"), real, times);
      s.exact.ties = decided.ties;
      s.exact.not_correctly_rounded += decided.not_correctly_rounded;
    }
    if (wants_float && row.size()) {
      for (std::size_t i = 0; i < codes.size(); ++i) times[i] = near.times[codes[i]];
      std::fill(times.begin() + static_cast<std::ptrdiff_t>(body), times.end(), 1);
      s.float_form = float_form(l, real, times);
    } else if (wants_float) {
      s.float_form.emplace();
    }
  }

  std::optional<CodeTable> everything;
  std::optional<CodeRow> all;
  std::optional<CodeTrial> trial;
  for (const auto& [k, as, d] : others) {
    try {
      if (std::isfinite(d)) {
        s.alike[k] = row.size() == 0 || row.given_by(op, rivals[k].cell, as, table);
        continue;
      }
      if (!trial) {
        everything = observed_table(*bytes);
        all.emplace(*bytes, occurring(*bytes));
        trial.emplace(*bytes, *all, *everything);
      }
      s.alike[k] = trial->given_by(op, rivals[k].cell, as);
    } catch (const Error&) {
      continue;
    }
  }
  return s;
}

}  // namespace lastbit
