// manifest.hpp: manifest.json as values, with everything refused that can be seen without the arrays.
#pragma once
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "lib/dump/dump.hpp"

namespace lastbit {

struct Manifest {
  Producer producer;
  std::string profile;
  bool parent = false;                    // "root": "..": files may lie beside the dump
  std::map<std::string, TensorEntry> tensors;
  std::vector<LayerEntry> layers;
  std::set<std::string> zero_scales;      // tensors whose rows may have scale 0: embedding weights, quantize_rowwise
};

/// `place`: the manifest's path as messages name it. Throws Error.
Manifest parse_manifest(std::string_view text, const std::string& place);

}  // namespace lastbit
