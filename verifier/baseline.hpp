// baseline.hpp: what is known of some dumps, with a reason. docs/schemas/baseline.schema.json describes the file.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "lib/dump/dump.hpp"
#include "reports/report.hpp"

namespace lastbit {

/// What a layer's tensors are, beside what became of them: names of their contents, and how many different values came out.
struct LayerFacts {
  std::string inputs, outputs;                 // SHA-1 over dtypes, shapes, parameters and values, as a UUID
  std::int64_t distinct = 0;                   // different values over all outputs
};
LayerFacts facts_of(const Dump&, const LayerEntry&);

struct LayerRecord {
  std::string name, op, verdict;
  std::int64_t elements = 0, mismatches = 0, max_lsb = 0, unexplained = 0;
  std::map<std::string, std::int64_t> causes;  // name -> elements it explains
  std::string inputs, outputs;
  std::string reason;                          // why this was accepted
  std::string profile;                         // that judged it; empty where the dump's record says it for all
};

struct DumpRecord {
  std::string dump;                            // as given when it was recorded
  std::string profile;                         // NAME or NAME@isa that judged every layer; empty when they had several
  std::map<std::string, std::string> producer;
  std::vector<LayerRecord> layers;
};

struct Baseline {
  std::vector<DumpRecord> dumps;
};

/// Throws Error(place: ...).
Baseline baseline_from_json(const std::string& text, const std::string& place);
std::string to_json(const Baseline&);

/// The record that speaks of a dump: of the same name, else of the same last folder, else the only one where there is only one
/// dump. Null when there is none, or several.
const DumpRecord* record_of(const Baseline&, const std::string& dump, bool only_dump);

LayerRecord record(const LayerReport&, const LayerFacts&, const std::string& reason);
/// The baseline with the records of these dumps in place of what it knew of them. A layer whose record did not change keeps its reason; layers
/// that `keep` says are not looked at stay as they are.
Baseline updated(Baseline, std::vector<DumpRecord>, const std::function<bool(const std::string& layer)>& keep);

}  // namespace lastbit
