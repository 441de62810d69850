// suite.hpp: golden vectors with a proof of which rules they can tell apart.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "golden/random.hpp"
#include "lib/layer/operator.hpp"

namespace lastbit {

/// What was asked for: `lastbit golden generate`'s options. It is written beside every suite, and makes the same bytes again.
struct VectorRequest {
  std::string op, profile, suite = "random";
  std::vector<std::string> shapes;       // "8x16" (the first input), "weight=4x16"
  std::vector<std::string> attributes;   // "stride=2", "padding=1,1", "activation=relu"
  std::vector<std::string> dtypes;       // "x=int16"
  std::vector<std::string> producer;     // "version=2.13.0"
  std::string like;                      // "DUMP:LAYER": same shapes, weights and qparams
  std::uint64_t seed = 1;
  std::optional<std::int64_t> count;     // samples: the extent of the first axis; lines of an exhaustive requantization

  std::vector<std::string> arguments() const;  // as the command line spells it
};

/// How often a suite reached what it is for: "tie", "one below a tie", ...
struct Reached {
  std::string what;
  std::int64_t count = 0;
};

/// One rule and the elements by which it shows: `differs` elements of all cases give another value than the profile.
struct RuleSeen {
  std::string name, sentence;
  int rank = 10;
  std::int64_t differs = 0;
  std::int64_t first = -1;               // the first such element, counted over all cases; -1: none
  std::size_t kind = 0;                  // index into Discrimination::kinds
};

/// Rules of one kind that agree for one reason. The last of a kind's, where it begins with "not proved", has one rule of each of the
/// others: between those no proof was found.
struct Agreement {
  std::vector<std::size_t> rules;        // indexes; the_profile: the suite's own
  std::string reason;                    // "proved: ...", "open: ..." (ranges of results overlap) or "not proved: ..."
  bool proved() const { return reason.rfind("proved", 0) == 0; }
};
inline constexpr std::size_t the_profile = ~std::size_t{0};

/// Rules that give the same value at every element of the suite.
struct RuleKind {
  std::vector<std::size_t> rules;        // indexes; the profile itself is in kinds[0]
  std::vector<double> gives;             // at the separating elements
  std::vector<Agreement> why;            // why nothing here tells them apart; empty for a kind of one rule
};

struct Discrimination {
  std::vector<RuleSeen> rules;           // every cause and profile that computes these layers otherwise than by name
  std::vector<RuleKind> kinds;
  std::vector<std::int64_t> separating;  // elements, counted over all cases: any two kinds give different values at one of them
  std::vector<std::pair<std::string, std::string>> not_tried;  // rule, why
  std::size_t alike = 0;                 // rules, the profile itself not counted, that the suite cannot tell from it
  std::size_t told() const { return rules.size() - alike; }
};

struct Vectors {
  VectorRequest request;
  const Operator* op = nullptr;
  const Profile* profile = nullptr;
  std::string label;                     // NAME or NAME@isa
  std::vector<Layer> cases;              // outputs hold what the profile gives
  std::vector<Cell> cells;               // of each case
  std::vector<std::vector<Events>> events;  // of each case's first output, per element
  std::vector<Reached> reached;
  std::vector<std::string> notes, mistrusted;
  Discrimination matrix;
  std::string checksum;                  // SHA-256, see docs/golden.md
};

/// Everything a suite is made of: the operator, the profile, the shapes and attributes asked for.
struct Workshop;

/// What a suite makes: layers with inputs, and what it wanted of them. Outputs are computed afterwards.
struct Draft {
  std::vector<Layer> cases;
  std::vector<std::string> notes;
  std::vector<std::string> promises;     // events of Reached that must not be 0: "tie", "clamped", ...
  std::int64_t candidates = 0;           // outputs that were tried and on which the kept ones agree wherever these do; 0: those of the cases
};

/// One file under golden/suites = one suite.
struct Suite {
  std::string name, about;
  /// Throws Error with a sentence where the suite does not apply.
  Draft (*make)(const Workshop&);
};
const std::vector<Suite>& all_suites();
const Suite& find_suite(const std::string& name);  // throws Error listing the known names

}  // namespace lastbit
