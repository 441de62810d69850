// audit_text.cpp: an audit as a table sorted by danger, and as JSON. See audit.hpp.
#include <algorithm>
#include <nlohmann/json.hpp>

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
  const auto percent = [](double v) { return std::to_string(static_cast<int>(v * 100 + 0.5)) + "%"; };
  for (const auto* a : order) {
    if (!a->accumulates) continue;
    const auto& r = audit.report.layers[a->layer];
    s += pad(r.name, 19) + pad(a->danger, 10) + left(std::to_string(r.accumulator.bits), 8) + left(std::to_string(a->smallest_safe_bits), 6) + "  " +
         pad(std::to_string(a->pairs.possible) + "/" + std::to_string(a->pairs.channels) + "/" + std::to_string(a->pairs.observed), 19) + percent(a->clamped_low) + ", " + percent(a->clamped_high) + "\n";
  }
  s += "\nbits of the accumulator: # observed, = worst case over all inputs, | registers\n";
  for (const auto* a : order)
    if (a->accumulates) s += pad(audit.report.layers[a->layer].name, 19) + bar(*a, audit.report.layers[a->layer].accumulator.bits) + "\n";
  for (const auto* a : order) {
    const auto& r = audit.report.layers[a->layer];
    for (const auto& c : a->costs)
      if (c.changed || c.chained_changed)
        s += "\n" + r.name + " under " + c.model + ": " + std::to_string(c.changed) + " of " + std::to_string(c.elements) + " outputs change, at most " + std::to_string(c.max_lsb) + " LSB; chained " +
             std::to_string(c.chained_changed) + ", at most " + std::to_string(c.chained_max_lsb) + " LSB";
    if (!a->witness.empty()) s += "\n" + r.name + ": witness in " + a->witness;
  }
  if (!options.fail_on.empty()) s += "\n--fail-on " + options.fail_on + ": " + (audit.status == 1 ? "failed" : "passed");
  return s + (s.back() == '\n' ? "" : "\n");
}

std::string to_json(const Audit& audit) {
  using Json = nlohmann::ordered_json;
  Json j = Json::parse(find_format("json").render(audit.report, {}));
  for (const auto& a : audit.layers) {
    Json& layer = j["layers"][a.layer];
    layer["pairs"] = {{"possible", a.pairs.possible}, {"channels", a.pairs.channels}, {"observed", a.pairs.observed}};
    Json x{{"danger", a.danger.empty() ? "none" : a.danger}, {"accumulates", a.accumulates}, {"smallest_safe_bits", a.smallest_safe_bits}, {"headroom", Json::array()}, {"channels", Json::array()},
           {"first_wrap", a.first_wrap}, {"first_saturation", a.first_saturation}, {"clamped_low", a.clamped_low}, {"clamped_high", a.clamped_high}, {"clamped_only_reference", a.clamped_only_reference},
           {"clamped_only_dump", a.clamped_only_dump}, {"inexact_float", a.inexact_float}, {"preshift_overflow", a.preshift_overflow}, {"pairs_ruled_out_by", a.pairs_rule}, {"costs", Json::array()}};
    for (const auto& h : a.headroom) x["headroom"].push_back({{"bits", h.bits}, {"observed", h.observed}, {"worst_case", h.worst}});
    for (const auto& c : a.channels)
      x["channels"].push_back({{"min", c.min}, {"max", c.max}, {"partial_min", c.partial_min}, {"partial_max", c.partial_max}, {"worst_case_min", c.worst_min}, {"worst_case_max", c.worst_max}, {"worst_case_bits", c.worst_bits},
                               {"pairs_possible", c.pairs_possible}, {"pairs_max_error_lsb", c.pairs_error_lsb}});
    for (const auto& c : a.costs) {
      Json cost{{"model", c.model}, {"elements", c.elements}, {"changed", c.changed}, {"max_lsb", c.max_lsb}, {"mean_lsb", c.mean_lsb}, {"chained_changed", c.chained_changed}, {"chained_max_lsb", c.chained_max_lsb}, {"elements_changed", Json::array()}};
      for (const auto& e : c.which) cost["elements_changed"].push_back({{"index", e.index}, {"from", e.from}, {"to", e.to}});
      x["costs"].push_back(std::move(cost));
    }
    if (!a.witness.empty()) x["witness"] = a.witness;
    layer["audit"] = std::move(x);
  }
  return j.dump(1) + "\n";
}

}  // namespace lastbit
