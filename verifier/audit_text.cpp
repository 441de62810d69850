// audit_text.cpp: an audit as a table sorted by danger. See audit.hpp.
#include <algorithm>
#include <map>
#include <sstream>

#include "reports/words.hpp"
#include "verifier/audit.hpp"

namespace lastbit {
namespace {

int rank(const std::string& danger) { return danger == "wrap" ? 3 : danger == "saturate" ? 2 : danger == "possible" ? 1 : 0; }

std::string pad(std::string v, std::size_t n) { return v.size() < n ? v + std::string(n - v.size(), ' ') : v.substr(0, n - 1) + " "; }
std::string left(const std::string& v, std::size_t n) { return v.size() < n ? std::string(n - v.size(), ' ') + v : v; }

/// 40 columns stand for 40 bits: '#' observed, '=' worst case beyond it, '|' the registers' ends.
std::string bar(const LayerAudit& a, int observed) {
  std::string s(40, ' ');
  for (int b = 0; b < 40; ++b) {
    if (b < observed) s[static_cast<std::size_t>(b)] = '#';
    else if (b < a.smallest_safe_bits) s[static_cast<std::size_t>(b)] = '=';
  }
  for (const auto& h : a.headroom)
    if (h.bits <= 40 && s[static_cast<std::size_t>(h.bits) - 1] == ' ') s[static_cast<std::size_t>(h.bits) - 1] = '|';
  s.erase(s.find_last_not_of(' ') + 1);
  return s;
}

std::string size_of(bool floats, std::int64_t lsb, double error) { return floats ? words::shortest(error) : std::to_string(lsb) + " LSB"; }

/// Lines of at most 80 columns, broken at spaces; those after the first begin with four more.
std::string wrapped(const std::string& text) {
  constexpr std::size_t columns = 80;
  std::string out, line = "  ";
  std::istringstream in(text);
  for (std::string word; in >> word;) {
    if (line.size() + word.size() > columns && line.find_first_not_of(' ') != std::string::npos) out += line.substr(0, line.size() - 1) + "\n", line = "    ";
    line += word + " ";
  }
  return out + line.substr(0, line.size() - 1) + "\n";
}

/// What is worth a line about one layer.
std::vector<std::string> sentences(const LayerAudit& a) {
  std::vector<std::string> all;
  const auto say = [&](const std::string& what, const Happened& h) {
    if (h.count) all.push_back(what + " in " + words::count(h.count, "element") + ", first at " + words::index(h.first));
  };
  const Observed& o = a.observed;
  say("the accumulator wrapped", o.wrapped);
  say("the accumulator saturated", o.saturated);
  say("int16 pairs saturated", o.pair_saturated);
  if (o.preshift_overflow) all.push_back("the left shift before the multiplier lost bits in " + words::count(o.preshift_overflow, "element"));
  if (o.inexact_float) all.push_back("float32 cannot hold the accumulator of " + words::count(o.inexact_float, "element"));
  if (o.clamped_only_reference || o.clamped_only_dump)
    all.push_back("clamped only in the reference: " + words::count(o.clamped_only_reference, "output") + ", only in the dump: " + std::to_string(o.clamped_only_dump));
  if (a.pairs.possible) {
    double error = 0;
    for (const auto& c : a.channels) error = std::max(error, c.pairs_error_lsb);
    all.push_back("without VNNI " + words::count(a.pairs.possible, "pair") + " of products in " + words::count(a.pairs.channels, "channel") + " can saturate int16, an error of at most " + words::shortest(error) + " LSB before the clamp");
  }
  if (a.b_fixed_bits) all.push_back("worst case over both operands; with b as it was dumped " + std::to_string(a.b_fixed_bits) + " bits are safe");
  for (const auto& c : a.costs) {
    if (c.which.empty() && c.chained_changed == 0 && c.wrapped.count + c.saturated.count + c.pair_saturated.count == 0) continue;
    std::string line = "under " + c.model + ": " + std::to_string(c.changed) + " of " + words::count(c.elements, "output") + " change";
    if (c.changed) line += ", at most " + size_of(c.floats, c.max_lsb, c.max_error);
    line += "; chained " + std::to_string(c.chained_changed);
    if (c.chained_changed) line += ", at most " + size_of(c.floats, c.chained_max_lsb, c.chained_max_error);
    all.push_back(line);
  }
  if (!a.witness.path.empty())
    all.push_back("witness in " + a.witness.path + ", the accumulator reaches " + std::to_string(a.witness.bound) + (a.witness.accumulator == a.witness.bound ? "" : " exactly, and is " + std::to_string(a.witness.accumulator) + " in this runtime's registers"));
  return all;
}

}  // namespace

std::string to_text(const Audit& audit, const AuditOptions& options) {
  std::vector<const LayerAudit*> order;
  for (const auto& a : audit.layers) order.push_back(&a);
  std::stable_sort(order.begin(), order.end(), [](const LayerAudit* a, const LayerAudit* b) {
    return rank(a->danger) != rank(b->danger) ? rank(a->danger) > rank(b->danger) : a->smallest_safe_bits != b->smallest_safe_bits ? a->smallest_safe_bits > b->smallest_safe_bits : a->pairs.possible > b->pairs.possible;
  });
  std::size_t dangerous = 0, accumulating = 0;
  for (const auto& a : audit.layers) dangerous += rank(a.danger) > 0, accumulating += a.accumulates;
  std::string s = std::to_string(dangerous) + " of " + std::to_string(accumulating) + " accumulating layers can overflow or did\n\n";
  s += "layer              danger    observed worst pairs can/chan/did   clamped low,high\n";
  const auto percent = [](std::int64_t n, std::int64_t of) { return std::to_string(of ? (200 * n + of) / (2 * of) : 0) + "%"; };
  for (const auto* a : order) {
    if (!a->accumulates) continue;
    const auto& r = audit.report.layers[a->layer];
    s += pad(r.name, 19) + pad(a->danger, 10) + left(std::to_string(r.accumulator.bits), 8) + left(std::to_string(a->smallest_safe_bits), 6) + "  " +
         pad(std::to_string(a->pairs.possible) + "/" + std::to_string(a->pairs.channels) + "/" + std::to_string(a->pairs.observed), 19) + percent(a->observed.clamped_low, a->observed.elements) + ", " + percent(a->observed.clamped_high, a->observed.elements) + "\n";
  }
  s += "\nbits of the accumulator: # observed, = worst case over all inputs, | registers\n";
  for (const auto* a : order)
    if (a->accumulates) s += pad(audit.report.layers[a->layer].name, 19) + bar(*a, audit.report.layers[a->layer].accumulator.bits) + "\n";
  for (const auto* a : order) {
    const auto& r = audit.report.layers[a->layer];
    std::string about;
    for (const auto& line : sentences(*a)) about += wrapped(line);
    if (!about.empty()) s += "\n" + r.name + " (" + r.op + ")\n" + about;
  }
  std::size_t others = 0;
  std::map<std::string, std::vector<std::string>> unseen;  // by reason
  for (const auto& a : audit.layers) {
    const auto& r = audit.report.layers[a.layer];
    others += !a.accumulates && !a.danger.empty();
    if (a.danger.empty()) unseen[r.reason].push_back(r.name);
  }
  if (others) s += "\n" + wrapped(words::count(static_cast<std::int64_t>(others), "layer") + " without an integer accumulator: not in the table").substr(2);
  for (const auto& [reason, names] : unseen) s += "\n" + wrapped("not audited: " + words::join(names, ", ") + ": " + reason).substr(2);
  if (!audit.network.empty()) s += "\nat the outputs of the network\n";
  for (const auto& n : audit.network)
    s += wrapped(n.layer + " under " + n.model + ": " + std::to_string(n.changed) + " of " + std::to_string(n.elements) + " change" + (n.changed ? ", at most " + size_of(n.floats, n.max_lsb, n.max_error) : ""));
  if (!options.fail_on.empty()) s += "\n--fail-on " + options.fail_on + ": " + (audit.status == 1 ? "failed" : "passed");
  return s + (s.back() == '\n' ? "" : "\n");
}

}  // namespace lastbit
