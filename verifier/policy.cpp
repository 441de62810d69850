// policy.cpp: reads what a gate lets pass. Unknown keys are refused: a misspelt limit must not become another limit.
#include "verifier/policy.hpp"

#include "reports/json_place.hpp"

namespace lastbit {
namespace {

using At = reading::JsonPlace;

const std::vector<std::string> event_names{"tie", "clamped", "saturated", "wrapped", "pair_saturated", "inexact_float", "undefined"};

std::string event(const At& at) {
  const std::string word = at.text();
  if (std::find(event_names.begin(), event_names.end(), word) == event_names.end()) at.refuse("one of " + words::join(event_names, ", "));
  return word;
}

Mode mode(const At& at, bool with_baseline) {
  const std::string word = at.text();
  if (word == "exact") return Mode::exact;
  if (word == "at_most") return Mode::at_most;
  if (word != "baseline") at.refuse("exact, baseline or at_most");
  if (!with_baseline) at.refuse("exact or at_most, or --baseline FILE");
  return Mode::baseline;
}

PolicyRule rule(const At& at, bool with_baseline) {
  at.only({"layers", "mode", "max_lsb", "mismatch_share", "unexplained", "events", "not_checked", "distinct_outputs", "reason"});
  PolicyRule r;
  r.layers = at["layers"].text();
  if (r.layers.empty()) at["layers"].refuse("a glob");
  const bool limits = at.has("max_lsb") || at.has("mismatch_share");
  r.mode = at.has("mode") ? mode(at["mode"], with_baseline) : limits ? Mode::at_most : with_baseline ? Mode::baseline : Mode::exact;
  if (limits && r.mode != Mode::at_most) at["mode"].refuse("at_most, as a limit is given");
  if (at.has("max_lsb")) r.max_lsb = at["max_lsb"].counted();
  // A limit on the size alone says nothing of the number, and the other way round.
  r.mismatch_share = at.has("mismatch_share") ? at["mismatch_share"].number() : 1;
  if (!(r.mismatch_share >= 0 && r.mismatch_share <= 1)) at["mismatch_share"].refuse("a share, 0..1");
  if (!at.has("max_lsb") && at.has("mismatch_share")) r.max_lsb = std::numeric_limits<std::int64_t>::max();
  if (at.has("unexplained")) r.unexplained = at["unexplained"].counted();
  if (at.has("events")) r.events = at["events"].list(event);
  if (at.has("distinct_outputs")) r.distinct_outputs = at["distinct_outputs"].counted();
  if (at.has("not_checked")) {
    if (!at["not_checked"].json.is_boolean()) at["not_checked"].refuse("true or false");
    r.not_checked = at["not_checked"].json.get<bool>();
  }
  return r;
}

}  // namespace

Policy policy_from_json(const std::string& text, const std::string& place, bool with_baseline) {
  const reading::Json json = reading::json_from(text, place);
  const At root{json, place, ""};
  root.only({"lastbit_policy", "rules"});
  if (root["lastbit_policy"].integer() != 1) root["lastbit_policy"].refuse("1");
  Policy policy{root["rules"].list([&](const At& at) { return rule(at, with_baseline); }), true};
  if (policy.rules.empty()) root["rules"].refuse("at least one rule");
  return policy;
}

Policy default_policy(bool with_baseline, std::optional<std::int64_t> max_lsb) {
  PolicyRule r;
  r.mode = max_lsb ? Mode::at_most : with_baseline ? Mode::baseline : Mode::exact;
  r.max_lsb = max_lsb.value_or(0);
  r.mismatch_share = 1;
  return {{r}, false};
}

}  // namespace lastbit
