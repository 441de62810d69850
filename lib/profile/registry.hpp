// registry.hpp: the profiles of lib/profiles, each made when it is first asked for: most runs need one, and one is a thousand strings.
#pragma once
#include <cstddef>
#include <span>
#include <string_view>

#include "lib/profile/profile.hpp"

namespace lastbit {

/// A file of lib/profiles. Its name, with "-" for "_", is the profile's.
struct ProfileFile {
  std::string_view name;
  Profile (*make)();
};

/// All of them, by name (written by cmake/Table.cmake).
std::span<const ProfileFile> profile_files();

/// The profile of profile_files()[i]: the same object as all_profiles()[i].
const Profile& profile_at(std::size_t i);

/// The profile that stands in for another where the layer's producer is as it asks ("replaces_when"); null: none does. It is named after the
/// one that it replaces, with "-" and more behind it.
const Profile* replacement_of(const std::string& name, const Layer& producer_alone);

}  // namespace lastbit
