// profile.cpp: choosing a cell. See profile.hpp.
#include "lib/profile/profile.hpp"

#include <algorithm>

#include "lib/error.hpp"

namespace lastbit {

const Cell* find_cell(const Profile& profile, const std::vector<std::string>& names, const Layer& layer) {
  const auto in_force = std::find_if(profile.cells.rbegin(), profile.cells.rend(), [&](const Cell& cell) {  // the last that holds
    const bool named = std::any_of(cell.ops.begin(), cell.ops.end(), [&](const std::string& op) { return std::find(names.begin(), names.end(), op) != names.end(); });
    return named && std::all_of(cell.when.begin(), cell.when.end(), [&](const std::string& c) { return holds(c, layer); });
  });
  return in_force == profile.cells.rend() || in_force->rule == "unsupported" ? nullptr : &*in_force;
}

ProfileChoice ProfileChoice::parse(const std::string& s) {
  const auto at = s.find('@');
  if (at == std::string::npos) return {s, ""};
  expect_isa(s.substr(at + 1), "profile \"" + s.substr(0, at) + "\"");
  return {s.substr(0, at), s.substr(at + 1)};
}

}  // namespace lastbit
