// proof.cpp: see proof.hpp.
#include "golden/proof.hpp"

#include <algorithm>
#include <charconv>
#include <set>

#include "golden/monotone.hpp"
#include "golden/place.hpp"
#include "lib/error.hpp"
#include "lib/num/int.hpp"
#include "lib/rules/pairs.hpp"
#include "lib/rules/worst_case.hpp"

namespace lastbit {
namespace {

constexpr std::size_t enough = 9;             // places at which two rules part
constexpr std::int64_t enumerated = 1 << 14;  // sums compared one by one where the order is not known to be kept

struct Span {
  std::int64_t lo = 0, hi = 0;
};

/// What one rule is in one case.
struct Form {
  bool known = false;
  bool open = false;                           // its results are ranges, of which one was compared
  std::string sums;                            // how sums are formed; empty: exactly
  std::string because;                         // why they are exact although the rule has a narrower register
  std::shared_ptr<const Requantizer> finish;
  Stages stages;
  std::map<std::int64_t, bool> rises;          // by channel
};

/// One case that accumulates: the sums that each channel can reach.
struct Reach {
  bool known = false;
  std::vector<Span> of;                        // by channel
};

bool fits(const Span& s, int bits) { return std::max(bits_of(s.lo), bits_of(s.hi)) <= bits; }
bool fit(const Reach& r, int bits) { return std::all_of(r.of.begin(), r.of.end(), [&](const Span& s) { return fits(s, bits); }); }

Reach reach_of(const Case& c) {
  Reach r;
  if (!c.accumulates() || &c.base() != &c.layer || c.port != "y" || is_float(c.observed.dtype)) return r;
  const Tensor& x = c.left();
  const auto range = [](const Tensor& t) { return t.q.qmin < t.q.qmax ? Span{t.q.qmin, t.q.qmax} : Span{info(t.dtype).min, info(t.dtype).max}; };
  const Span codes = range(x);
  if (c.layer.op == "matmul") {  // both operands are inputs
    const Span other = range(c.right());
    for (std::int64_t n = 0; n < c.channels(); ++n) {
      const std::int64_t wz = c.input().w_zero_point.size() == 1 ? c.input().w_zero_point[0] : c.input().w_zero_point[static_cast<std::size_t>(n)], xz = c.input().x_zero_point, K = c.geometry().in_channels;
      const auto corners = {(codes.lo - xz) * (other.lo - wz), (codes.lo - xz) * (other.hi - wz), (codes.hi - xz) * (other.lo - wz), (codes.hi - xz) * (other.hi - wz)};
      r.of.push_back({K * std::min(corners), K * std::max(corners)});
    }
  } else {
    for (const auto& b : worst_case(c.geometry(), c.input(), codes.lo, codes.hi, {})) r.of.push_back({b.min, b.max});
  }
  for (auto& s : r.of) s.lo = std::min<std::int64_t>(s.lo, 0), s.hi = std::max<std::int64_t>(s.hi, 0);
  r.known = true;
  return r;
}

/// Whether two products of raw codes can leave 16 bits, whichever they are.
bool pairs_fit(const Case& c, std::int64_t offset) {
  if (c.layer.op == "matmul") return false;
  const Tensor& x = c.left();
  const std::int64_t lo = std::min<std::int64_t>(0, x.q.qmin + offset), hi = std::max<std::int64_t>(0, x.q.qmax + offset), terms = c.geometry().terms();
  const auto& w = c.input().w;
  for (std::size_t from = 0; from < w.size(); from += static_cast<std::size_t>(terms)) {
    std::int64_t up[2] = {0, 0}, down[2] = {0, 0};  // the two largest, the two smallest products
    for (std::size_t i = from; i < from + static_cast<std::size_t>(terms) && i < w.size(); ++i) {
      std::int64_t most = std::max(w[i] * lo, w[i] * hi), least = std::min(w[i] * lo, w[i] * hi);
      if (most > up[0]) std::swap(most, up[0]);
      up[1] = std::max(up[1], most);
      if (least < down[0]) std::swap(least, down[0]);
      down[1] = std::min(down[1], least);
    }
    if (up[0] + up[1] > 32767 || down[0] + down[1] < -32768) return false;
  }
  return true;
}

bool same_input(const AccumulationInput& a, const AccumulationInput& b) { return a.x == b.x && a.w == b.w && a.x_zero_point == b.x_zero_point && a.w_zero_point == b.w_zero_point && a.x_scale == b.x_scale; }

/// "accumulator:17-saturate-partial": 17
std::optional<int> bits_in(const std::string& name) {
  int bits = 0;
  if (name.rfind("accumulator:", 0) != 0 || std::from_chars(name.data() + 12, name.data() + name.size(), bits).ec != std::errc()) return {};
  return bits;
}

Form form_of(const Case& c, const Reach& reach, const RuleValues* rule, std::size_t k) {
  Form f;
  if (!reach.known) return f;
  static const Change own{};
  const bool applies = rule && !rule->cases[k].empty();
  if (applies && !rule->changes[k]) return f;
  const Change* is = applies ? rule->changes[k].get() : &own;
  if (rule && !applies && bits_in(rule->name) && !fit(reach, *bits_in(rule->name) - 2)) {
    // No candidate leaves the register here, an input may: a register after the sum is the same stage in every case.
    const auto other = std::find_if(rule->changes.begin(), rule->changes.end(), [](const auto& change) { return change && !change->held.empty() && !change->sum; });
    if (other == rule->changes.end()) return f;
    is = other->get();
  }
  const Change& change = *is;
  const Cell& cell = change.cell ? *change.cell : c.cell;
  if (change.accumulator || (change.input && !same_input(c.read(change.input), c.input()))) return f;
  if (!cell.get("bounds").empty()) {
    f.open = true;
    return f;
  }
  if (change.sum) {
    const auto bits = bits_in(rule->name);
    if (!bits || rule->name.find("-partial") == std::string::npos || !fit(reach, *bits)) return f;
    f.because = "no reachable partial sum leaves " + std::to_string(*bits) + " bits";
  }
  if (const std::string held = cell.get("register"); !held.empty()) {
    int bits = 0;
    std::from_chars(held.data(), held.data() + held.size(), bits);
    if (bits < 2 || !fit(reach, bits)) f.sums += "register " + held;
    else f.because = "no reachable sum leaves " + std::to_string(bits) + " bits";
  } else if (cell.get("accumulator", "int32") == "int32" && !fit(reach, 32)) f.sums += "wraps at 32 bits";
  if (cell.get("pairs", "none") == "int16") {
    if (pairs_fit(c, pair_offset(cell))) f.because = "no reachable pair of products leaves 16 bits";
    else {  // which products meet, and what stands outside the input
      f.sums += "pairs" + std::string(cell.get("pair_offset") == "128" ? " of codes made unsigned" : cell.get("pair_offset") == "-128" ? " of codes made signed" : "") + (pairs_wrap(cell) ? " that wrap" : "") + (cell.get("pair_outside", "zero_point") == "zero" ? ", 0 outside:" : ":");
      for (const auto& segment : pair_segments(c.base(), cell, c.geometry())) {
        for (const auto term : segment) f.sums += std::to_string(term) + " ";
        f.sums += segment.size() % 2 ? "." : "";
      }
    }
  }
  try {
    f.stages = c.stages_of(change);
    f.finish = std::make_shared<const Requantizer>(f.stages, c.context_of(change), c.layer.place);
    f.known = true;
  } catch (const Error&) {  // a change that these stages do not take
  }
  return f;
}

bool rises(Form& f, std::int64_t channel, const Span& s) {
  const auto [it, fresh] = f.rises.emplace(channel, false);
  if (fresh) it->second = monotone(f.stages, f.finish->context(), channel, s.lo, s.hi);
  return it->second;
}

/// Both on every sum of a channel.
struct Compared {
  bool decided = false;
  std::vector<std::int64_t> parts;  // sums at which they differ, small ones, which more inputs make, before large ones
};

class Comparison {
 public:
  Comparison(Form& a, Form& b, std::int64_t channel) : a_(a), b_(b), channel_(channel) {}

  Compared over(const Span& s) {
    if (!rises(a_, channel_, s) || !rises(b_, channel_, s)) {
      const std::int64_t size = s.hi - s.lo, step = size > enumerated ? size / 512 : 1;  // of a large range at least a look
      for (std::int64_t acc = s.lo; acc <= s.hi; acc += step) look(acc);
      found_.decided = step == 1 || !found_.parts.empty();
    } else {
      along_steps(s);
      found_.decided = true;
    }
    return std::move(found_);
  }

 private:
  std::int64_t at(const Form& f, std::int64_t acc) {
    Events ignored = 0;
    return (*f.finish)(acc, channel_, ignored);
  }
  void look(std::int64_t acc) {
    if (at(a_, acc) == at(b_, acc)) return;
    auto& parts = found_.parts;
    parts.insert(std::upper_bound(parts.begin(), parts.end(), acc, [](std::int64_t x, std::int64_t y) { return std::abs(x) < std::abs(y); }), acc);
    if (parts.size() > parts_kept) parts.pop_back();
  }
  /// Step by step of a; the next one is looked for from where the last distance would put it.
  void along_steps(const Span& s) {
    std::int64_t from = s.lo, stride = 1;
    const std::int64_t last = at(a_, s.hi);
    look(s.lo), look(s.hi);
    for (;;) {
      const std::int64_t code = at(a_, from);
      if (code == last) return;
      std::int64_t below = from, above = std::min(s.hi, from + stride), jump = std::max<std::int64_t>(1, stride / 64);
      if (at(a_, above) > code) {  // too far: back in growing jumps
        while (above - jump > below && at(a_, above - jump) > code) above -= jump, jump *= 2;
        below = std::max(below, above - jump);
      } else {
        while (below = above, above = std::min(s.hi, above + jump), at(a_, above) <= code) jump *= 2;
      }
      while (above - below > 1) {
        const std::int64_t middle = below + (above - below) / 2;
        (at(a_, middle) > code ? above : below) = middle;
      }
      look(below), look(above);
      stride = above - from, from = above;
    }
  }

  static constexpr std::size_t parts_kept = 3;
  Form &a_, &b_;
  std::int64_t channel_;
  Compared found_;
};

/// Why two rules are the same in every case, or where they part.
struct Judged {
  bool same = false, open = false;
  std::set<std::string> reasons;
  std::vector<Parting> partings;
};

class Prover {
 public:
  Prover(const Workshop& w, const AllRules& all, const std::vector<Layer>& cases) : all_(all) {
    forms_.resize(all.rules.size() + 1);
    for (std::size_t k = 0; k < cases.size(); ++k) reach_.push_back(reach_of(all.of_case(k)));
    // Elementwise layers: every combination of codes, by every rule.
    std::vector<Layer> whole;
    for (const auto& layer : cases)
      if (auto l = whole_domain(layer)) compute(w, *l), whole.push_back(std::move(*l));
    if (!whole.empty() && whole.size() == cases.size()) {
      domain_ = all_rules(w, whole);
      domain_layers_ = std::move(whole);
      for (std::size_t i = 0; i < domain_.rules.size(); ++i) by_key_.emplace(domain_.rules[i].key, i);
    }
  }

  const Reach& reach(std::size_t k) const { return reach_[k]; }

  Judged compare(std::size_t a, std::size_t b) {
    Judged v;
    if (arithmetic(a) && arithmetic(b) && *arithmetic(a) == *arithmetic(b)) {
      v.same = true, v.reasons.insert("the same arithmetic");
      return v;
    }
    if (a >= all_.rules.size() && a != the_profile) a = the_profile;  // profiles with the very same arithmetic
    if (b >= all_.rules.size() && b != the_profile) b = the_profile;
    if (!domain_layers_.empty()) return on_domain(a, b);
    bool all = true;
    for (std::size_t k = 0; k < reach_.size(); ++k) {
      Form &fa = form(a, k), &fb = form(b, k);
      v.open = v.open || fa.open || fb.open;
      if (!fa.known || !fb.known || fa.sums != fb.sums) {
        all = false;  // not known here; they may part elsewhere
        continue;
      }
      for (const Form* f : {&fa, &fb})
        if (!f->because.empty()) v.reasons.insert(f->because);
      for (std::size_t c = 0; c < reach_[k].of.size(); ++c) {
        Span s = reach_[k].of[c];
        if (!fa.sums.empty()) {  // sums that saturate may lie outside
          const std::int64_t beyond = all_.of_case(k).geometry().terms() * 32768;
          s.lo -= beyond, s.hi += beyond;
        }
        const Compared r = Comparison(fa, fb, static_cast<std::int64_t>(c)).over(s);
        all = all && r.decided && r.parts.empty();
        if (fa.sums.empty())
          for (const auto acc : r.parts) v.partings.push_back({k, static_cast<std::int64_t>(c), acc, {}});
        if (v.partings.size() >= enough) return v;
        if (!r.parts.empty()) break;  // this case is decided
      }
    }
    if (!all) return v;
    v.same = true;
    v.reasons.insert("equal on every reachable accumulator");
    return v;
  }

 private:
  /// A profile's cells, case by case; none for other rules.
  const std::optional<std::vector<std::string>>& arithmetic(std::size_t r) {
    const auto known = arithmetic_.find(r);
    if (known != arithmetic_.end()) return known->second;
    std::optional<std::vector<std::string>> s;
    if (r >= all_.rules.size() || all_.rules[r].name.rfind("profile:", 0) == 0) {
      s.emplace();
      for (std::size_t k = 0; k < reach_.size(); ++k) s->push_back(r < all_.rules.size() && !all_.rules[r].cases[k].empty() ? all_.rules[r].arithmetic[k] : all_.own_arithmetic(k));
    }
    return arithmetic_.emplace(r, std::move(s)).first->second;
  }
  Form& form(std::size_t r, std::size_t k) {
    auto& of = forms_[r == the_profile ? all_.rules.size() : r];
    if (of.empty()) of.resize(reach_.size());
    if (!of[k]) of[k] = form_of(all_.of_case(k), reach_[k], r == the_profile ? nullptr : &all_.rules[r], k);
    return *of[k];
  }
  Judged on_domain(std::size_t a, std::size_t b) {
    Judged v;
    std::size_t n = 0;
    for (std::size_t k = 0; k < domain_layers_.size(); ++k) {
      const Values &x = values(a, k), &y = values(b, k);
      n += x.size();
      for (std::size_t i = 0; i < x.size(); ++i)
        if (!same_value(x[i], y[i])) {
          Parting p{k, 0, 0, {}};
          for (const auto& [port, t] : domain_layers_[k].inputs) p.codes[port] = t.integer(static_cast<std::int64_t>(i));
          v.partings.push_back(p);
          return v;
        }
    }
    v.same = true;
    v.reasons.insert("equal on all " + std::to_string(n) + " combinations of codes");
    return v;
  }
  const Values& values(std::size_t r, std::size_t k) const {
    if (r == the_profile) return domain_.expected[k];
    const auto it = by_key_.find(all_.rules[r].key);
    if (it == by_key_.end() || domain_.rules[it->second].cases[k].empty()) return domain_.expected[k];
    return domain_.rules[it->second].cases[k];
  }

  const AllRules& all_;
  std::vector<Reach> reach_;
  std::vector<std::vector<std::optional<Form>>> forms_;
  std::map<std::size_t, std::optional<std::vector<std::string>>> arithmetic_;
  AllRules domain_;
  std::vector<Layer> domain_layers_;
  std::map<std::string, std::size_t> by_key_;
};

std::string joined(const std::set<std::string>& all) {
  std::string s;
  for (const auto& a : all) s += (s.empty() ? "" : "; ") + a;
  return s;
}

}  // namespace

std::optional<Layer> whole_domain(const Layer& layer) {
  if (!elementwise(layer) || layer.inputs.empty() || layer.inputs.size() > 2) return {};
  std::int64_t codes = 1;
  for (const auto& [port, t] : layer.inputs) {
    if (is_float(t.dtype) || info(t.dtype).bits > 8 || !t.q.quantized() || t.q.float_zero_point) return {};
    codes *= t.q.qmax - t.q.qmin + 1;
  }
  const auto& first = layer.inputs.begin()->second.q;
  const bool two = layer.inputs.size() == 2;
  const std::int64_t rows = two ? first.qmax - first.qmin + 1 : codes % 16 == 0 ? 16 : 1, columns = codes / rows;
  Layer whole = layer;
  for (auto* ports : {&whole.inputs, &whole.outputs})
    for (auto& [port, t] : *ports) {
      std::vector<std::int32_t> q(static_cast<std::size_t>(codes));
      if (ports == &whole.inputs)
        for (std::int64_t i = 0; i < codes; ++i) q[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(t.q.qmin + (!two ? i : &t == &whole.inputs.begin()->second ? i / columns : i % columns));
      if (is_float(t.dtype)) t = Tensor::of_floats(t.name, {rows, columns}, std::vector<float>(static_cast<std::size_t>(codes)));
      else t = Tensor::of_integers(t.name, t.dtype, {rows, columns}, t.q, q);
    }
  return whole;
}

std::vector<Parting> prove(const Workshop& w, const AllRules& all, const std::vector<Layer>& cases, std::int64_t tried, Discrimination& d, std::size_t most) {
  std::vector<Parting> partings;
  std::unique_ptr<Prover> prover;
  for (std::size_t k = 0; k < d.kinds.size(); ++k) {
    RuleKind& kind = d.kinds[k];
    std::vector<std::size_t> members = kind.rules;
    if (k == 0) members.insert(members.begin(), the_profile);
    if (members.size() < 2) continue;
    if (!prover) prover = std::make_unique<Prover>(w, all, cases);
    struct Group {
      std::vector<std::size_t> rules;
      std::set<std::string> reasons;
    };
    std::vector<Group> groups;
    std::vector<std::size_t> ranges;  // rules whose results are ranges
    std::string apart;
    for (const auto m : members) {
      bool placed = false, open = false;
      for (auto& g : groups) {
        Judged v = prover->compare(g.rules[0], m);
        if (v.same) {
          g.rules.push_back(m), g.reasons.insert(v.reasons.begin(), v.reasons.end());
          placed = true;
          break;
        }
        open = open || v.open;
        if (v.partings.empty()) continue;
        const Parting& first = v.partings[0];
        if (apart.empty()) {
          apart = first.codes.empty() ? "accumulator " + std::to_string(first.acc) + " of channel " + std::to_string(first.channel) : "the codes";
          for (const auto& [port, q] : first.codes) apart += " " + port + " " + std::to_string(q);
          apart = "; some part at inputs that are not among them, as at " + apart + " of \"" + cases[first.of_case].name + "\"";
        }
        for (auto& p : v.partings)
          if (partings.size() < most) partings.push_back(std::move(p));
      }
      if (!placed && open) ranges.push_back(m);
      else if (!placed) groups.push_back({{m}, {}});
    }
    for (auto& g : groups)
      if (g.rules.size() > 1) kind.why.push_back({g.rules, "proved: " + joined(g.reasons)});
    if (!ranges.empty()) {
      ranges.insert(ranges.begin(), groups[0].rules[0]);
      kind.why.push_back({ranges, "open: a rule whose results are ranges (\"bounds\") allows these"});
    }
    if (groups.size() < 2) continue;
    Agreement open{{}, "not proved: " + std::to_string(tried) + " outputs tried" + apart};
    for (const auto& g : groups) open.rules.push_back(g.rules[0]);
    kind.why.push_back(std::move(open));
  }
  return partings;
}

}  // namespace lastbit
