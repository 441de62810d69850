// profile.cpp: choosing a cell. See profile.hpp.
#include "lib/profile/profile.hpp"

#include <algorithm>

#include "lib/error.hpp"

namespace lastbit {

const Cell* find_cell(const Profile& profile, const std::vector<std::string>& names, const Layer& layer) {
  const Cell* found = nullptr;
  for (const auto& cell : profile.cells) {
    const bool named = std::any_of(cell.ops.begin(), cell.ops.end(), [&](const std::string& op) { return std::find(names.begin(), names.end(), op) != names.end(); });
    if (named && std::all_of(cell.when.begin(), cell.when.end(), [&](const std::string& c) { return holds(c, layer); })) found = &cell;
  }
  return found && found->rule == "unsupported" ? nullptr : found;
}

ProfileChoice ProfileChoice::parse(const std::string& s) {
  const auto at = s.find('@');
  if (at == std::string::npos) return {s, ""};
  expect_isa(s.substr(at + 1), "profile \"" + s.substr(0, at) + "\"");
  return {s.substr(0, at), s.substr(at + 1)};
}

}  // namespace lastbit
