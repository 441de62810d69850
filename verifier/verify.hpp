// verify.hpp: the main job: recompute every layer of dumps, compare, and report.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "lib/dump/dump.hpp"
#include "lib/layer/operator.hpp"
#include "reports/report.hpp"

namespace lastbit {

/// Layers by their position in the dump: from `first`, the first of a dump being 0, up to but not including `end`.
struct LayerRange {
  std::int64_t first = 0, end = 0;
  /// "FIRST:END". Throws Error(place) unless 0 <= FIRST < END.
  static LayerRange parse(const std::string& text, const std::string& place);
};

struct VerifyOptions {
  std::vector<std::string> dumps;
  std::string profile;                    // NAME[@isa] or FILE.json; empty: as the dump says
  std::string layer_glob;                 // empty: all
  std::optional<LayerRange> positions;    // only these layers of every dump: a shard
  std::set<std::string> forms{"integer", "float", "exact"};
  bool chained = false;
  bool causes = true;                     // why a layer differs
  bool evidence = true;                   // which other profiles would have given the same, of a layer that agrees
  bool events = true;                     // ties, clamps, ... of layers that agree
  bool timings = false;
  std::optional<Producer> as_producer;    // judge by this producer's version, build and instruction set instead of the dump's
  unsigned jobs = 0;                      // 0: all cores
  std::string version;
  std::vector<std::string> command;       // empty: verify_command()
  std::function<void(std::size_t done, std::size_t of)> progress;  // called from any thread, one at a time
};

/// The arguments of the program that give the same report, in one spelling: what decides about the result and nothing else (no
/// threads, no formats), so that the same work has the same bytes however it was asked for.
std::vector<std::string> verify_command(const VerifyOptions&);

/// Throws Error when a dump cannot be used. Layers run on several threads; the report does not depend on how many.
Report verify_dumps(const VerifyOptions&);

}  // namespace lastbit
