// archive.hpp: arrays inside one .npz, read by many threads at once.
#pragma once
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "lib/dump/npy.hpp"

namespace lastbit {

class Archive {
 public:
  /// Throws Error(place: ...) when the file is no zip archive.
  Archive(const std::filesystem::path&, const std::string& place);
  ~Archive();

  /// The array `member` (with or without .npy), stored or deflated. `accept` sees the header before anything is allocated
  /// for the data and throws when it does not suit. The archive's size, the array's header and the stream itself must agree.
  Tensor read(const std::string& member, const std::string& place, const std::function<void(const NpyArray&)>& accept) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lastbit
