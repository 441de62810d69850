// audit_json.cpp: an audit as the JSON report, with an object "audit" in every layer and one for the network. See audit.hpp.
#include <nlohmann/json.hpp>

#include "verifier/audit.hpp"

namespace lastbit {
namespace {

using Json = nlohmann::ordered_json;

double share(std::int64_t n, std::int64_t of) { return of ? static_cast<double>(n) / static_cast<double>(of) : 0; }

Json of(const Happened& h) { return {{"count", h.count}, {"first", h.first}}; }

Json of(const std::vector<Headroom>& all) {
  Json j = Json::array();
  for (const auto& h : all) j.push_back({{"bits", h.bits}, {"observed", h.observed}, {"worst_case", h.worst}});
  return j;
}

void add(Json& j, const Observed& o) {
  j["min"] = o.min, j["max"] = o.max, j["partial_min"] = o.partial_min, j["partial_max"] = o.partial_max;
  j["wrapped"] = of(o.wrapped), j["saturated"] = of(o.saturated), j["pair_saturated"] = of(o.pair_saturated);
  j["clamped_low"] = share(o.clamped_low, o.elements), j["clamped_high"] = share(o.clamped_high, o.elements);
  j["clamped_only_reference"] = o.clamped_only_reference, j["clamped_only_dump"] = o.clamped_only_dump;
  j["inexact_float"] = o.inexact_float, j["preshift_overflow"] = o.preshift_overflow;
}

Json number(double v, bool floats) { return floats ? Json(v) : Json(static_cast<std::int64_t>(v)); }

Json of(const Cost& c) {
  Json j{{"model", c.model}, {"output", c.output}, {"elements", c.elements}, {"changed", c.changed}, {"max_lsb", c.max_lsb}, {"mean_lsb", c.mean_lsb}, {"max_error", c.max_error},
         {"wrapped", of(c.wrapped)}, {"saturated", of(c.saturated)}, {"pair_saturated", of(c.pair_saturated)},
         {"chained_changed", c.chained_changed}, {"chained_max_lsb", c.chained_max_lsb}, {"chained_max_error", c.chained_max_error}, {"elements_changed", Json::array()}};
  for (const auto& e : c.which) j["elements_changed"].push_back({{"index", e.index}, {"from", number(e.from, c.floats)}, {"to", number(e.to, c.floats)}});
  return j;
}

Json of(const ChannelAudit& c) {
  Json j = Json::object();
  add(j, c.observed);
  j["worst_case_min"] = c.worst_min, j["worst_case_max"] = c.worst_max, j["worst_case_bits"] = c.worst_bits;
  j["headroom"] = of(c.headroom);
  j["pairs_possible"] = c.pairs_possible, j["pairs_observed"] = c.pairs_observed, j["pairs_max_error"] = c.pairs_error, j["pairs_max_error_lsb"] = c.pairs_error_lsb;
  return j;
}

Json of(const LayerAudit& a) {
  Json j{{"danger", a.danger.empty() ? "not_checked" : a.danger}, {"accumulates", a.accumulates}, {"smallest_safe_bits", a.smallest_safe_bits}};
  if (a.b_fixed_bits) j["b_fixed_bits"] = a.b_fixed_bits;
  j["headroom"] = of(a.headroom);
  add(j, a.observed);
  j["first_wrap"] = a.observed.wrapped.first;
  j["first_saturation"] = a.observed.saturated.count ? a.observed.saturated.first : a.observed.pair_saturated.first;
  j["pairs_ruled_out_by"] = a.pairs_rule;
  j["channels"] = Json::array(), j["costs"] = Json::array();
  for (const auto& c : a.channels) j["channels"].push_back(of(c));
  for (const auto& c : a.costs) j["costs"].push_back(of(c));
  if (!a.witness.path.empty()) j["witness"] = a.witness.path, j["witness_bound"] = a.witness.bound, j["witness_accumulator"] = a.witness.accumulator;
  return j;
}

}  // namespace

std::string to_json(const Audit& audit) {
  Json j = Json::parse(find_format("json").render(audit.report, {}));
  for (const auto& a : audit.layers) {
    Json& layer = j["layers"][a.layer];
    layer["pairs"] = {{"possible", a.pairs.possible}, {"channels", a.pairs.channels}, {"observed", a.pairs.observed}};
    layer["audit"] = of(a);
  }
  Json network = Json::array();
  for (const auto& n : audit.network)
    network.push_back({{"dump", n.dump}, {"layer", n.layer}, {"output", n.output}, {"model", n.model}, {"elements", n.elements}, {"changed", n.changed}, {"max_lsb", n.max_lsb}, {"max_error", n.max_error}});
  j["network"] = std::move(network);
  return j.dump(1) + "\n";
}

}  // namespace lastbit
