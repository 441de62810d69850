// extract.hpp: the smallest self-contained dump that still differs: what one attaches to a bug report.
#pragma once
#include <string>
#include <vector>

namespace lastbit {

struct ExtractOptions {
  std::string dump, layer, out, profile;
};
struct Extraction {
  std::vector<std::string> steps;      // what was cut, in order
  std::int64_t elements = 0, mismatches = 0;
  std::string command;                 // repeats the difference
};
/// One layer, then the fewest rows, channels and positions that still differ; a step that would make the difference vanish is
/// taken back, and so is one after which the layer's first cause is no longer the first, or in its group. A layer that is identical is written whole. Throws Error.
Extraction extract(const ExtractOptions&);

}  // namespace lastbit
