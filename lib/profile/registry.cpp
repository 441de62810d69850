// registry.cpp: see registry.hpp.
#include "lib/profile/registry.hpp"

#include <algorithm>
#include <memory>
#include <mutex>

#include "lib/error.hpp"

namespace lastbit {
namespace {

/// Places for all, each filled once. Never taken apart: the end of a program should not cost what its start does.
struct Places {
  std::vector<Profile> profiles{profile_files().size()};
  std::unique_ptr<std::once_flag[]> made{new std::once_flag[profile_files().size()]};
};

Places& places() {
  static auto& all = *new Places;
  return all;
}

}  // namespace

const Profile& profile_at(std::size_t i) {
  Places& all = places();
  std::call_once(all.made[i], [&] { all.profiles[i] = profile_files()[i].make(); });
  return all.profiles[i];
}

const std::vector<Profile>& all_profiles() {
  for (std::size_t i = 0; i < profile_files().size(); ++i) profile_at(i);
  return places().profiles;
}

const Profile& find_profile(const std::string& name) {
  std::string known;
  const auto files = profile_files();
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (files[i].name == name) return profile_at(i);
    known.append(known.empty() ? "" : ", ").append(files[i].name);
  }
  throw Error("profile", "found \"" + name + "\", expected one of " + known);
}

const Profile* replacement_of(const std::string& name, const Layer& as) {
  const auto files = profile_files();
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (files[i].name.size() <= name.size() || files[i].name.substr(0, name.size()) != name || files[i].name[name.size()] != '-') continue;
    const Profile& p = profile_at(i);
    if (p.replaces == name && std::all_of(p.replaces_when.begin(), p.replaces_when.end(), [&](const std::string& c) { return holds(c, as); })) return &p;
  }
  return nullptr;
}

}  // namespace lastbit
