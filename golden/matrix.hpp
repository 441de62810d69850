// matrix.hpp: which rules a set of vectors can tell apart, by which of them.
#pragma once
#include "golden/workshop.hpp"
#include "verifier/cause.hpp"

namespace lastbit {

/// What one rule gives on every element of every case, cases after one another.
struct RuleValues {
  std::string name, sentence, key;   // key: name and sentence without numbers; the same rule in two cases has the same key
  int rank = 10;
  std::vector<Values> cases;         // empty: the rule does not apply to the case, which then says nothing about it
  std::vector<std::string> alike;    // labels of profiles with the very same arithmetic
};
struct AllRules {
  std::vector<Values> expected;      // the profile's own, by case
  std::vector<RuleValues> rules;
  std::vector<std::string> same;     // profiles that compute these layers by the very same arithmetic
  std::vector<std::pair<std::string, std::string>> not_tried;
};
/// Every suspect of every cause, and every profile, over layers whose outputs are what the profile gives; or, when they are
/// `observed`, what a device gave: causes may then solve for a number.
AllRules all_rules(const Workshop&, const std::vector<Layer>& cases, bool observed = false);

/// Which kinds there are. `why`: the reason why nothing tells the members of a kind apart.
Discrimination discriminate(const AllRules&, const std::string& why);

/// The smallest set of samples found (greedy, then pruned) under which every pair of rules differs that differs under all of
/// them: indexes by case.
std::vector<std::vector<std::int64_t>> deciding_samples(const AllRules&, const std::vector<Layer>& cases);

/// A dump of the cases in a folder of its own; tensors are named CASE.port.
void write_cases(const std::filesystem::path&, const std::string& label, const Producer&, const std::vector<Layer>& cases);
/// The output that is compared: "y", else the first.
std::string main_output(const Layer&);

}  // namespace lastbit
