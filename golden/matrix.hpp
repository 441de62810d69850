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
  std::vector<std::shared_ptr<const Change>> changes;  // by case: what the rule is, where that is known
  std::vector<std::string> arithmetic;                 // by case: a profile's cell, spelled out
};
/// Layers as causes look at them, and what these refer to.
struct CasesHeld;
struct AllRules {
  std::vector<Values> expected;      // the profile's own, by case
  std::vector<RuleValues> rules;
  std::vector<std::string> same;     // profiles that compute these layers by the very same arithmetic
  std::vector<std::pair<std::string, std::string>> not_tried;
  std::shared_ptr<const CasesHeld> held;
  const Case& of_case(std::size_t k) const;
  std::string own_arithmetic(std::size_t k) const;
};
/// Every suspect of every cause, and every profile, over layers whose outputs are what the profile gives; or, when they are
/// `observed`, what a device gave: causes may then solve for a number.
AllRules all_rules(const Workshop&, const std::vector<Layer>& cases, bool observed = false);

/// Which kinds there are; why nothing tells the members of one apart is for golden/proof.hpp to say. `separating`:
/// false leaves out the elements that separate them.
Discrimination discriminate(const AllRules&, bool separating = true);

/// The smallest set of samples found (greedy, then pruned) under which every pair of rules differs that differs under all of
/// them: indexes by case.
std::vector<std::vector<std::int64_t>> deciding_samples(const AllRules&, const std::vector<Layer>& cases);

/// A dump of the cases in a folder of its own; tensors are named CASE.port.
void write_cases(const std::filesystem::path&, const std::string& label, const Producer&, const std::vector<Layer>& cases);
/// The output that is compared: "y", else the first.
std::string main_output(const Layer&);

}  // namespace lastbit
