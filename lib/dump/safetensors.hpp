// safetensors.hpp: arrays inside one .safetensors file: a JSON header of names, dtypes, shapes and offsets, then the bytes.
#pragma once
#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "lib/dump/npy.hpp"

namespace lastbit {

class Safetensors {
 public:
  /// Throws Error(place: ...) when the header is not one.
  Safetensors(const std::filesystem::path&, const std::string& place);
  /// A view into the mapped file.
  Tensor read(const std::string& name, const std::string& place, const std::function<void(const NpyArray&)>& accept) const;

 private:
  struct Entry {
    std::string dtype;
    Shape shape;
    std::uint64_t begin, end;
  };
  Mapping file_;
  std::size_t data_ = 0;
  std::map<std::string, Entry> entries_;
};

}  // namespace lastbit
