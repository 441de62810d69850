// identify.hpp: which profile made this dump? Ranked by what each reproduces.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "verifier/evaluate.hpp"

namespace lastbit {

struct Identification {
  struct Candidate {
    std::string name;
    std::int64_t elements = 0, mismatches = 0, not_checked = 0;
  };
  struct Deciding {
    std::string layer, output;
    std::vector<std::int64_t> index;
    std::string first, second, observed;   // what the first two profiles give, and what was dumped
  };
  std::vector<Candidate> profiles;         // best first
  std::vector<Deciding> deciding;          // elements that tell the first from the next that is not its twin
  std::string told_apart_from;             // that next one; empty: none differs
};
Identification identify(const std::vector<std::string>& dumps, const std::string& layer_glob, unsigned jobs, const std::function<void(std::size_t, std::size_t)>& progress);
std::string to_text(const Identification&);
std::string to_json(const Identification&);

}  // namespace lastbit
