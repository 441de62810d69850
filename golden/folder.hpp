// folder.hpp: a folder that goes away, for what must lie on disk while it is looked at.
#pragma once
#include <unistd.h>

#include <filesystem>
#include <string>

#include "lib/error.hpp"

namespace lastbit {

struct PassingFolder {
  std::filesystem::path path;
  PassingFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "lastbit-XXXXXX").string();
    if (!::mkdtemp(name.data())) throw Error(name, "found a place where no folder can be made, expected one (TMPDIR names another)");
    path = name;
  }
  PassingFolder(const PassingFolder&) = delete;
  PassingFolder& operator=(const PassingFolder&) = delete;
  ~PassingFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

}  // namespace lastbit
