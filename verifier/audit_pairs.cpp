// audit_pairs.cpp: pairs of products in one 16-bit register (vpmaddubsw). See audit_parts.hpp.
#include <algorithm>

#include "lib/rules/pairs.hpp"
#include "verifier/audit_parts.hpp"
#include "verifier/other_isa.hpp"

namespace lastbit {
namespace {

struct Interval64 {
  std::int64_t lo = 0, hi = 0;
};
Interval64 operator+(const Interval64& a, const Interval64& b) { return {a.lo + b.lo, a.hi + b.hi}; }
Interval64 product(const Interval64& a, const Interval64& b) {
  const auto all = {a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi};
  return {std::min(all), std::max(all)};
}
bool saturates(const Interval64& sum) { return sum.hi > 32767 || sum.lo < -32768; }

/// What pairs of one channel can do, over all inputs.
struct PairsOf {
  std::int64_t possible = 0, error = 0;
};

/// The pairs of an accumulation as raw operands: x moved by the cell's offset, padding as the cell fills it.
struct Pairing {
  const LayerSums& s;
  const Sums& part;
  std::vector<Segment> segments;
  std::vector<std::int32_t> source;
  std::vector<std::int64_t> kinds;
  Interval64 x;                          // over all ranges
  std::vector<std::int64_t> outside;     // one a range
  std::int64_t largest = 0;              // |w|

  Interval64 weight(std::int64_t o, std::int32_t term) {
    if (s.free) return {s.free->min, s.free->max};
    const std::int64_t C = part.g.in_channels, T = part.g.taps(), w = part.in.w[static_cast<std::size_t>((o * C + term % C) * T + term / C)];
    largest = std::max(largest, std::abs(w));
    return {w, w};
  }

  PairsOf of_channel(std::int64_t o) {
    struct Pair {
      std::int64_t tap0, tap1;
      Interval64 w0, w1;
      bool reached = false;
    };
    std::vector<Pair> able;
    for (const auto& segment : segments)
      for (std::size_t k = 0; k + 1 < segment.size(); k += 2) {
        const Interval64 w0 = weight(o, segment[k]), w1 = weight(o, segment[k + 1]);
        if (saturates(product(w0, x) + product(w1, x))) able.push_back({segment[k] / part.g.in_channels, segment[k + 1] / part.g.in_channels, w0, w1});
      }
    PairsOf r;
    if (able.empty()) return r;
    for (const auto position : kinds)
      for (const auto padding : outside) {
        std::int64_t up = 0, down = 0;
        for (auto& p : able) {
          const auto at = [&](std::int64_t tap) { return source[static_cast<std::size_t>(position * part.g.taps() + tap)] < 0 ? Interval64{padding, padding} : x; };
          const Interval64 sum = product(p.w0, at(p.tap0)) + product(p.w1, at(p.tap1));
          p.reached |= saturates(sum);
          up += std::max<std::int64_t>(0, -32768 - sum.lo), down += std::max<std::int64_t>(0, sum.hi - 32767);
        }
        r.error = std::max({r.error, up, down});
      }
    for (const auto& p : able) r.possible += p.reached;
    return r;
  }
};

}  // namespace

Variant without_vnni(const Profile& profile, const Operator& op, const Layer& layer, const std::string& isa) {
  Variant v{"", layer, nullptr};
  const std::string own = layer.producer.at("isa"), other = !isa.empty() ? isa : own.empty() || own == "avx512_amx" || own == "avx512_vnni" || own == "avx2_vnni" ? "avx2" : own;
  set_producer(v.layer, &op, on_isa(layer.producer, other));
  v.label = profile_label(profile, other);
  v.cell = cell_for(profile, op, v.layer);
  return v;
}

void audit_pairs(const Audited& l, const LayerSums& own, const Variant& variant, LayerAudit& a) {
  if (!variant.cell) return;
  const auto s = sums_of(variant.layer, l.op, *variant.cell);
  if (!s || s->channels != own.channels) return;
  const std::int64_t offset = pair_offset(*variant.cell);
  bool any = false;
  Interval64 x{s->x[0].min, s->x[0].max};
  for (const auto& range : s->x) x = {std::min(x.lo, range.min), std::max(x.hi, range.max)};
  std::int64_t largest = 0;
  for (const Sums& part : s->parts) {
    Pairing pairing{*s, part, pair_segments(s->layer, *variant.cell, part.g), sources(part.g), {}, {x.lo + offset, x.hi + offset}, {}};
    if (pairing.segments.empty()) continue;
    any = true;
    pairing.kinds = kinds_of_positions(part.g, pairing.source);
    for (const auto& range : s->x) pairing.outside.push_back(pair_outside(*variant.cell, range.zero_point));
    for (std::int64_t o = 0; o < s->channels && (!s->free || &part == &s->parts[0]); ++o) {  // free operands are alike in every product
      const PairsOf found = pairing.of_channel(o);
      ChannelAudit& c = a.channels[static_cast<std::size_t>(o)];
      c.pairs_possible = std::max(c.pairs_possible, found.possible), c.pairs_error = std::max(c.pairs_error, found.error);
    }
    largest = std::max(largest, pairing.largest);
    const Accumulated under = accumulate_layer(s->layer, *variant.cell, part.g, part.in);
    for (std::size_t i = 0; i < under.events.size(); ++i)
      if (under.events[i] & event::pair_saturated) ++a.pairs.observed, ++a.channels[static_cast<std::size_t>(s->channel_of(static_cast<std::int64_t>(i)))].pairs_observed;
  }
  for (std::size_t o = 0; o < a.channels.size(); ++o) {
    ChannelAudit& c = a.channels[o];
    const Names& n = own.context.channels.size() == 1 ? own.context.channels[0] : own.context.channels[o];
    c.pairs_error_lsb = rounded4(static_cast<double>(c.pairs_error) * n.at("alpha") * n.at("si") * n.at("sw") / n.at("so"));
    a.pairs.possible += c.pairs_possible;
    a.pairs.channels += c.pairs_possible > 0;
  }
  if (!any) a.pairs_rule = variant.cell->get("pairs", "none") == "int16" ? "the kernel that runs here pairs no products" : "no kernel of this profile pairs products of " + std::string(name(s->parts[0].in.x_dtype)) + " and " + std::string(name(s->layer.in(s->weight).dtype));
  else if (a.pairs.possible == 0)
    a.pairs_rule = !s->free && largest <= 64 ? "all |w| <= 64" : x.hi + offset <= 127 ? "the input's range is reduced to " + std::to_string(x.lo + offset) + ".." + std::to_string(x.hi + offset) : "no pair of weights is large enough";
}

}  // namespace lastbit
