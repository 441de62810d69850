// verify.hpp: the main job: recompute every layer of dumps, compare, and report.
#pragma once
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "lib/dump/dump.hpp"
#include "lib/layer/operator.hpp"
#include "reports/report.hpp"

namespace lastbit {

struct VerifyOptions {
  std::vector<std::string> dumps;
  std::string profile;                    // NAME[@isa] or FILE.json; empty: as the dump says
  std::string layer_glob;                 // empty: all
  std::set<std::string> forms{"integer", "float", "exact"};
  bool chained = false;
  bool causes = true;
  bool timings = false;
  std::optional<Producer> as_producer;    // judge by this producer's version, build and instruction set instead of the dump's
  unsigned jobs = 0;                      // 0: all cores
  std::string version;
  std::vector<std::string> command;
  std::function<void(std::size_t done, std::size_t of)> progress;  // called from any thread, one at a time
};

/// Throws Error when a dump cannot be used. Layers run on several threads; the report does not depend on how many.
Report verify_dumps(const VerifyOptions&);

}  // namespace lastbit
