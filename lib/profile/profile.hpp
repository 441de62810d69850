// profile.hpp: a runtime's arithmetic as data.
//
// A profile is a table of cells. A cell says by which rule an operator is computed, with which parameters, and, where an
// accumulator is brought to stored integers, by which stages. Cells name conditions ("when") over facts of a layer: its
// dtypes, its instruction set, the runtime's version. The last cell whose conditions all hold is the one in force, so a
// variant is a table plus a few changed cells, never a copy, and no operator asks a profile for its name.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "lib/layer/layer.hpp"

namespace lastbit {

struct Cell {
  std::vector<std::string> ops;              // operators or families: "conv2d", "conv", "linear", "*"
  std::vector<std::string> when;             // conditions, all must hold: "per_channel", "!vnni", "version>=2.13"
  std::string rule;                          // one of the operator's rules; empty: the operator's first
  std::vector<std::string> stages;           // see requantize.hpp; empty: the operator has none
  std::map<std::string, std::string> with;   // parameters of the rule

  std::string get(const std::string& key, const std::string& otherwise = "") const {
    const auto it = with.find(key);
    return it == with.end() ? otherwise : it->second;
  }
  friend bool operator==(const Cell&, const Cell&) = default;
};

struct Profile {
  std::string name;                     // "pytorch-fbgemm"
  std::string title;                    // one sentence
  std::vector<std::string> sources;     // file and function of the runtime, version read or run
  std::string evidence;                 // what the claim of bit-exactness rests on
  std::vector<std::string> for_producer;  // conditions on a dump that names no profile: "framework:pytorch", "engine:fbgemm"
  std::string replaces;                 // another profile that this one stands in for when replaces_when holds
  std::vector<std::string> replaces_when;
  std::vector<std::string> isas;        // variants worth trying: "avx512_vnni", "avx2", ...; the first is the default
  std::vector<Cell> cells;

  friend bool operator==(const Profile&, const Profile&) = default;
};

/// All profiles, by name (one file each under lib/profiles).
const std::vector<Profile>& all_profiles();
/// Throws Error listing the known names.
const Profile& find_profile(const std::string& name);

/// The cell in force for an operator known under these names (most specific first); null when the profile has none.
const Cell* find_cell(const Profile&, const std::vector<std::string>& names, const Layer&);

/// JSON form, both ways: the same fields. Throws Error(place: ...).
std::string to_json(const Profile&);
Profile profile_from_json(const std::string& text, const std::string& place);

/// NAME or NAME@isa; an instruction set that is none throws Error.
struct ProfileChoice {
  std::string name, isa;
  static ProfileChoice parse(const std::string&);
};

}  // namespace lastbit
