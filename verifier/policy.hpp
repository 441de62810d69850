// policy.hpp: what a gate lets pass, as data. docs/schemas/policy.schema.json describes the file.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lastbit {

/// How a layer's mismatches are judged.
enum class Mode {
  exact,     // there are none
  baseline,  // no worse than the baseline knows; a layer it does not know must be exact
  at_most,   // max_lsb and mismatch_share
};

/// Of all rules whose glob matches a layer the last is in force, whole: nothing is inherited from the rules before it.
struct PolicyRule {
  std::string layers = "*";                         // glob over the layer's name
  Mode mode = Mode::exact;
  std::int64_t max_lsb = 0;                         // at_most: largest absolute error
  double mismatch_share = 0;                        // at_most: mismatches / elements
  std::int64_t unexplained = 0;                     // elements without a cause
  std::optional<std::vector<std::string>> events;   // those that may happen; absent: all
  bool not_checked = false;                         // whether the layer may go unchecked
  std::int64_t distinct_outputs = 0;                // fewer different values in the outputs make a weak dump
};

struct Policy {
  std::vector<PolicyRule> rules;
  bool own = false;                                 // read from a file: a rule that matches nothing is an error
};

/// Throws Error(place: ...). `with_baseline`: rules that name no mode and no limit mean "no worse than the baseline".
Policy policy_from_json(const std::string& text, const std::string& place, bool with_baseline);
/// One rule for every layer.
Policy default_policy(bool with_baseline, std::optional<std::int64_t> max_lsb);

}  // namespace lastbit
