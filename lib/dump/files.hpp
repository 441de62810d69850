// files.hpp: the arrays of a dump, wherever they lie, and the promise that no path leaves the dump.
#pragma once
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "lib/dump/archive.hpp"
#include "lib/dump/safetensors.hpp"

namespace lastbit {

/// What was found where something else is expected.
struct Fault {
  std::string found, expected;
};
/// What can be seen from the words: absolute, "..", empty; "a.npz" without a member. With `parent`, one leading ".." is allowed.
std::optional<Fault> path_fault(const std::string& file, bool parent);

/// The file of a reference: "a.npz" of "a.npz#member".
std::string path_of(const std::string& file);

/// Opens each archive once. Safe for many threads.
class Files {
 public:
  /// `directory`: the dump's. Throws Error when it is none.
  Files(const std::filesystem::path& directory, bool parent, const std::string& place);

  /// The array in row-major order. `accept` sees its header first.
  Tensor read(const std::string& file, const std::string& place, const std::function<void(const NpyArray&)>& accept) const;

 private:
  std::filesystem::path resolve(const std::string& path, const std::string& place) const;
  Mapping map(const std::string& path, const std::string& place) const;
  /// A folder under the dump's, symbolic links followed; null when it is none or lies outside.
  const Folder* resolved_folder(const std::string& folder) const;

  std::filesystem::path directory_, root_;  // root_: what no path may leave, symbolic links followed
  mutable std::mutex mutex_;
  mutable std::map<std::string, std::optional<Folder>> folders_;  // resolved
  mutable std::map<std::string, std::shared_ptr<const Archive>> archives_;  // by their paths as the manifest has them
  mutable std::map<std::string, std::shared_ptr<const Safetensors>> safetensors_;
};

}  // namespace lastbit
