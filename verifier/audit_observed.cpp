// audit_observed.cpp: accumulators and outputs as they were, and over all inputs. See audit_parts.hpp.
#include <algorithm>
#include <cmath>

#include "lib/num/int.hpp"
#include "verifier/audit_parts.hpp"

namespace lastbit {
namespace {

/// Bits that a value needs in two's complement, as a fraction: 1 + log2 of the larger end.
double bits_needed(std::int64_t lo, std::int64_t hi) {
  const double size = std::max(lo < 0 ? -static_cast<double>(lo) : 0.0, hi > 0 ? static_cast<double>(hi) + 1 : 0.0);
  return size <= 1 ? 1 : 1 + std::log2(size);
}

std::vector<Headroom> headroom(const std::vector<int>& widths, const Observed& o, std::int64_t worst_min, std::int64_t worst_max) {
  std::vector<Headroom> all;
  for (const int w : widths) all.push_back({w, rounded4(w - bits_needed(o.partial_min, o.partial_max)), rounded4(w - bits_needed(worst_min, worst_max))});
  return all;
}

struct Sum {
  std::int64_t last = 0, min = 0, max = 0;
  void add(std::int64_t v) { last += v, min = std::min(min, last), max = std::max(max, last); }
};

/// In the runtime's order: taps ascending, channel fastest; channels_first where its kernel orders K so. From the integer bias on.
Sum sum_of(const LayerSums& s, const Sums& part, const Operands& operands, std::int64_t element) {
  const std::int64_t o = element / part.g.positions() % s.channels, bias = s.bias.empty() ? 0 : s.bias[static_cast<std::size_t>(o)];
  Sum sum{bias, bias, bias};
  if (s.cell.get("pair_order") != "channels_first") {
    for_each_product(part.g, operands, element, [&](auto, auto, std::int64_t x, std::int64_t w, bool) { sum.add(x * w); });
    return sum;
  }
  const std::int64_t T = part.g.taps(), C = part.g.in_channels;
  std::vector<std::int64_t> products(static_cast<std::size_t>(T * C));
  for_each_product(part.g, operands, element, [&](std::int64_t t, std::int64_t c, std::int64_t x, std::int64_t w, bool) { products[static_cast<std::size_t>(c * T + t)] = x * w; });
  for (const auto p : products) sum.add(p);
  return sum;
}

void widen(Observed& o, const Sum& s, bool first) {
  o.min = first ? s.last : std::min(o.min, s.last), o.max = first ? s.last : std::max(o.max, s.last);
  o.partial_min = first ? s.min : std::min(o.partial_min, s.min), o.partial_max = first ? s.max : std::max(o.partial_max, s.max);
}

void happened(Happened& h, const Tensor& t, std::int64_t element) {
  if (h.count++ == 0) h.first = stored_index(t, element);
}

}  // namespace

double rounded4(double v) { return std::isfinite(v) && std::fabs(v) < 1e12 ? static_cast<double>(rne(v * 1e4)) / 1e4 : v; }

std::string counted_output(const Result& r, const Layer& layer) {
  for (const char* port : {"y", "accumulator"})
    if (const auto it = r.outputs.find(port); it != r.outputs.end() && layer.has_out(port) && (!it->second.q.empty() || !it->second.f.empty())) return port;
  return "";
}

void observe(const Audited& l, const LayerSums* s, LayerAudit& a) {
  std::vector<bool> too_large;   // the accumulator itself does not fit its register: what wrapped later is requantization's own
  if (s) {
    a.channels.resize(static_cast<std::size_t>(s->channels));
    std::vector<bool> seen(a.channels.size());
    const int width = s->cell.get("accumulator", "int32") == "int32" ? 32 : 64;
    for (const Sums& part : s->parts) {
      const Operands operands{part.in.x, part.in.w, part.in.x_zero_point, part.in.w_zero_point};
      const std::int64_t n = part.g.batch * s->channels * part.g.positions();
      if (too_large.size() < static_cast<std::size_t>(part.first + n)) too_large.resize(static_cast<std::size_t>(part.first + n));
      for (std::int64_t i = 0; i < n; ++i) {
        const auto o = static_cast<std::size_t>(s->channel_of(i));
        const Sum sum = sum_of(*s, part, operands, i);
        widen(a.channels[o].observed, sum, !seen[o]);
        seen[o] = true;
        if (bits_of(sum.last) > width) too_large[static_cast<std::size_t>(part.first + i)] = true;
      }
    }
    for (std::size_t o = 0; o < a.channels.size(); ++o) {
      const Observed& c = a.channels[o].observed;
      widen(a.observed, {c.min, c.min, c.max}, o == 0);
      widen(a.observed, {c.max, c.partial_min, c.partial_max}, false);
    }
  }
  const std::string port = counted_output(l.own.result, l.own.layer);
  if (port.empty()) return;
  const Computed& y = l.own.result.outputs.at(port);
  const Tensor& dumped = l.own.layer.out(port);
  const bool clamps = port == "y" && !y.q.empty();
  const Range range = clamps ? activated_range(l.own.layer, dumped) : Range{0, 0};
  const bool fixed_point = std::any_of(l.cell.stages.begin(), l.cell.stages.end(), [](const std::string& stage) { return stage.rfind("fixed ", 0) == 0; });
  for (std::int64_t i = 0; i < dumped.size(); ++i) {
    const auto at = static_cast<std::size_t>(i);
    const Events e = y.events.empty() ? Events{0} : y.events[at];
    const auto add = [&](Observed& o) {
      ++o.elements;
      o.inexact_float += (e & event::inexact_float) != 0;
      if (e & event::wrapped) {
        if (fixed_point && !(at < too_large.size() && too_large[at])) ++o.preshift_overflow;
        else happened(o.wrapped, dumped, i);
      }
      if (e & event::saturated) happened(o.saturated, dumped, i);
      if (e & event::pair_saturated) happened(o.pair_saturated, dumped, i);
      if (!clamps) return;
      const std::int64_t d = dumped.integer(i);
      const bool low = y.q[at] <= range.min, high = y.q[at] >= range.max, dump_at_end = d <= range.min || d >= range.max;
      o.clamped_low += low, o.clamped_high += high;
      o.clamped_only_reference += (low || high) && !dump_at_end;
      o.clamped_only_dump += dump_at_end && !(low || high);
    };
    add(a.observed);
    if (s) add(a.channels[static_cast<std::size_t>(s->channel_of(i))].observed);
  }
}

void prove(const Audited&, const LayerSums& s, const std::vector<int>& widths, LayerAudit& a) {
  const auto bounds = worst_case(s);
  std::int64_t lo = 0, hi = 0;
  for (std::size_t o = 0; o < a.channels.size(); ++o) {
    ChannelAudit& c = a.channels[o];
    c.worst_min = bounds[o].min.value, c.worst_max = bounds[o].max.value;
    c.worst_bits = std::max(bits_of(c.worst_min), bits_of(c.worst_max));
    c.headroom = headroom(widths, c.observed, c.worst_min, c.worst_max);
    lo = std::min(lo, c.worst_min), hi = std::max(hi, c.worst_max);
    a.smallest_safe_bits = std::max(a.smallest_safe_bits, c.worst_bits);
  }
  a.headroom = headroom(widths, a.observed, lo, hi);
  if (s.free)
    for (const auto& b : worst_case(s, false)) a.b_fixed_bits = std::max({a.b_fixed_bits, bits_of(b.min.value), bits_of(b.max.value)});
}

}  // namespace lastbit
