// candidates.hpp: suspects of a case, tried as far as each is worth it.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "verifier/trial.hpp"

namespace lastbit {

/// What a few elements do not rule out is tried on all, the simplest of what explains every one of the few first. Once a rule explains all that
/// differs, nothing else of its name can add to the report; and of a large layer, what explains less is no cause any more: whether it breaks
/// something is asked of a few elements, or left open.
class Candidates {
 public:
  Candidates(const Case& c, const Trial& trial) : case_(c), trial_(trial) {}

  void consider(const std::vector<Suspect>&, const std::function<bool(const Suspect&)>& which = [](const Suspect&) { return true; });

  /// In the order of the suspects: what is plausible, and what is not.
  const std::vector<Tried>& clean() const { return clean_; }
  const std::vector<Tried>& near() const { return near_; }
  /// Whether one that is no whole profile explains all that differs.
  bool a_rule_explains_all() const { return a_rule_; }

 private:
  bool is_spare(const Suspect&) const;
  bool settle(Tried&);  // whether it fits the layer, and explains something

  const Case& case_;
  const Trial& trial_;
  std::vector<Tried> clean_, near_;
  std::map<std::string, int> complete_;  // names of what explains all, and the least rank
  bool a_rule_ = false;
};

}  // namespace lastbit
