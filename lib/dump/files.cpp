// files.cpp: see files.hpp.
#include "lib/dump/files.hpp"

#include <algorithm>

#include "lib/dump/words.hpp"

namespace lastbit {
namespace {

constexpr std::size_t most_held = 16;  // folders; a process may open a thousand files

struct Reference {
  std::string path, member;  // member: empty for a plain .npy
  enum { npy, npz, safetensors } kind = npy;
};

/// A '#' belongs to the name of a file unless an archive's ending stands before it.
Reference split(const std::string& file) {
  using namespace std::string_view_literals;
  for (const auto& [end, kind] : {std::pair(".npz#"sv, Reference::npz), std::pair(".safetensors#"sv, Reference::safetensors)})
    if (const auto at = file.find(end); at != std::string::npos) return {file.substr(0, at + end.size() - 1), file.substr(at + end.size()), kind};
  return {file, {}, Reference::npy};
}

}  // namespace

std::string path_of(const std::string& file) { return split(file).path; }

std::optional<Fault> path_fault(const std::string& file, bool parent) {
  const Reference r = split(file);
  if (r.path.find('\0') != std::string::npos) return Fault{"a path with a zero byte", "a path"};
  if (r.kind == Reference::npy && (file.ends_with(".npz") || file.ends_with(".safetensors"))) return Fault{in_quotes(file), "an array of the archive, as \"" + one_line(file) + "#name\""};
  if (r.kind != Reference::npy && r.member.empty()) return Fault{in_quotes(file), "an array's name after the #"};
  if (!r.path.empty() && r.path[0] != '/' && r.path.find("..") == std::string::npos) return {};  // the commonest: nothing to take apart
  const std::filesystem::path path(r.path);
  if (path.empty() || path.is_absolute()) return Fault{in_quotes(file), "a path relative to the manifest"};
  bool first = true;
  for (const auto& part : path) {
    if (part == ".." && !(first && parent)) return Fault{in_quotes(file) + ", which leaves the dump", parent ? "a path that stays under the dump's parent" : "a path that stays under the manifest"};
    first = false;
  }
  return {};
}

Files::Files(const std::filesystem::path& directory, bool parent, const std::string& place) {
  std::error_code error;
  directory_ = std::filesystem::canonical(directory, error);
  if (error) refuse(place, one_line(error.message()), "a directory");
  root_ = parent ? directory_.parent_path() : directory_;
}

const Folder* Files::resolved_folder(const std::string& folder) const {
  const std::lock_guard lock(mutex_);
  const auto [it, is_new] = folders_.try_emplace(folder);
  if (is_new) {
    std::error_code error;
    const auto at = std::filesystem::canonical(directory_ / folder, error);
    if (!error && std::mismatch(root_.begin(), root_.end(), at.begin(), at.end()).first == root_.end()) it->second.emplace(at.string(), folders_.size() <= most_held);
  }
  return it->second ? &*it->second : nullptr;
}

std::filesystem::path Files::resolve(const std::string& path, const std::string& place) const {
  std::error_code error;
  const auto file = std::filesystem::canonical(directory_ / path, error);
  if (error) refuse(place, one_line(error.message()), "a readable file");
  if (std::mismatch(root_.begin(), root_.end(), file.begin(), file.end()).first != root_.end()) refuse(place, "a symbolic link that leaves the dump", "a file inside it");
  return file;
}

Mapping Files::map(const std::string& path, const std::string& place) const {
  // Thousands of files lie in one folder: it is resolved once, and a file in it that is no symbolic link is where it seems to be.
  const std::size_t slash = path.rfind('/'), name = slash == std::string::npos ? 0 : slash + 1;
  if (const Folder* folder = resolved_folder(path.substr(0, name)); folder && name < path.size())
    if (auto mapping = folder->map(path.substr(name), place)) return *std::move(mapping);
  return map_file(resolve(path, place), place);
}

Tensor Files::read(const std::string& file, const std::string& place, const std::function<void(const NpyArray&)>& accept) const {
  const Reference r = split(file);
  if (r.kind == Reference::npy) {
    const Mapping mapping = map(r.path, place);
    const NpyArray array = parse_npy(mapping.bytes, place);
    accept(array);
    return to_tensor(array, mapping.owner, file);
  }
  const auto opened = [&]<class T>(std::map<std::string, std::shared_ptr<const T>>& open) {
    const std::lock_guard lock(mutex_);
    auto& slot = open[r.path];
    if (!slot) slot = std::make_shared<const T>(resolve(r.path, place), place);
    return slot;
  };
  return r.kind == Reference::npz ? opened(archives_)->read(r.member, place, accept) : opened(safetensors_)->read(r.member, place, accept);
}

}  // namespace lastbit
