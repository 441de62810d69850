// manifest.hpp: manifest.json as values, with everything refused that can be seen without the arrays.
#pragma once
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "lib/dump/dump.hpp"

namespace lastbit {

/// Every runtime holds a scale as float32, or makes one of it: positive, finite, and neither 0 nor infinite there.
inline bool is_scale(double v) { return v > 0x1p-150 && v < 0x1.ffffffp127; }

struct Manifest {
  Producer producer;
  std::string profile;
  bool parent = false;                    // "root": "..": files may lie beside the dump
  std::map<std::string, TensorEntry> tensors;
  std::vector<LayerEntry> layers;
  std::set<std::string> zero_scales;      // tensors whose rows may have scale 0: embedding weights, quantize_rowwise
  std::set<std::string> signed_scales;    // tensors whose arrays of scales may hold any finite number: weights of linear_weight_only
};

/// `place`: the manifest's path as messages name it. Throws Error.
Manifest parse_manifest(std::string_view text, const std::string& place);

}  // namespace lastbit
