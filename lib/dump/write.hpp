// write.hpp: a dump written to disk, as any reader of docs/dump-format.md takes it.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "lib/layer/layer.hpp"

namespace lastbit {

struct DumpToWrite {
  Producer producer;
  std::string profile;                 // as a dump says it: NAME or NAME@isa; may be empty
  std::vector<Layer> layers;           // tensors of the same name must be the same
  std::vector<std::string> profiles;   // per layer, empty: the dump's
};

/// Writes `directory`/manifest.json and tensors/*.npy. Every attribute is written as it is bound; scales and zero points as
/// numbers when per tensor, else as arrays. Tensors go out in the order of their own axes (NC…), layouts resolved.
/// Throws Error when the directory exists and is not empty, or cannot be written.
void write_dump(const std::filesystem::path& directory, const DumpToWrite&);

}  // namespace lastbit
