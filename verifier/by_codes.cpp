// by_codes.cpp: see by_codes.hpp.
#include "verifier/by_codes.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "lib/error.hpp"
#include "verifier/code_rows.hpp"
#include "verifier/forms.hpp"

namespace lastbit {
namespace {

/// How often each combination of a row is an element: none for those that fill it up, once for the layer's last elements.
std::vector<std::int64_t> times_of(const CodeRow& r, const CodeBytes& s) {
  std::vector<std::int64_t> all(s.codes()), times(r.size());
  for (std::int64_t i = 0; i < s.body; ++i) ++all[s.code(i)];
  for (std::size_t i = 0; i < r.codes().size(); ++i) times[i] = all[r.codes()[i]];
  for (std::size_t i = r.body(); i < r.size(); ++i) times[i] = 1;
  return times;
}

/// Counts of events, six at a time: ten bits each hold what a chunk adds up to.
constexpr std::int64_t chunk = 512;
constexpr int events_counted = 6;
std::uint64_t spread(unsigned events) {
  std::uint64_t s = 0;
  for (int k = 0; k < events_counted; ++k) s |= std::uint64_t{events >> k & 1} << 10 * k;
  return s;
}

/// Whether every element of the whole rows is the table's; adds to the counts.
bool all_as_in(const CodeTable& table, const CodeBytes& s, std::array<std::int64_t, events_counted>& counts) {
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
static_assert(code_row % chunk == 0);

}  // namespace

std::optional<Streamed> judge_codes(const StoredLayer& stored, const Operator& op, const Cell& cell, const StreamOptions& options) {
  const auto rivals = options.rivals;
  const auto bytes = code_bytes(stored, op);
  if (!bytes || !bytes->allows(vector_of(cell))) return std::nullopt;
  const Layer& layer = stored.layer;
  CodeRow all(*bytes, occurring(*bytes));
  const auto result = all.computed(op, cell, layer);
  if (!result) return std::nullopt;
  const Computed* own = &result->outputs.at("y");
  if (!own->undefined.empty() || own->chosen) return std::nullopt;
  const auto events_of = [&](std::size_t i) { return own->events.empty() ? Events{0} : own->events[i]; };
  const auto& codes = all.codes();
  CodeTable table(bytes->codes());
  const auto& type = info(layer.out().dtype);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::int32_t q = own->q[i];
    if (q < type.min || q > type.max) return std::nullopt;
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

  CodeTrial trial(*bytes, all, table);
  for (std::size_t k = 0; k < rivals.size(); ++k) {
    const Cell& c = rivals[k].cell;
    if (same_rule(c, cell)) {
      s.alike[k] = true;
      continue;
    }
    if (!bytes->allows(vector_of(c))) {
      (*options.open)[k] = true;
      continue;
    }
    try {
      s.alike[k] = trial.given_by(op, c, as_rival(layer, op, rivals[k]));
    } catch (const Error&) {
      continue;  // the rival cannot compute this layer
    }
  }
  return s;
}

}  // namespace lastbit
