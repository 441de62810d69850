// verified.hpp: a dump written, verified, and what its report names.
#pragma once
#include <algorithm>
#include <string>
#include <vector>

#include "lib/dump/write.hpp"
#include "tests/support.hpp"
#include "verifier/verify.hpp"

namespace lastbit::test {

/// The integer form of every layer.
inline std::vector<LayerReport> verified(const DumpToWrite& dump) {
  TemporaryFolder folder;
  write_dump(folder.path / "dump", dump);
  VerifyOptions options;
  options.dumps = {(folder.path / "dump").string()};
  options.forms = {"integer"};
  return verify_dumps(options).layers;
}

/// Whether the name is the cause's, or stands in its group.
inline bool names(const CauseFound& cause, const std::string& name) { return cause.name == name || std::find(cause.group.begin(), cause.group.end(), name) != cause.group.end(); }

inline bool named_first(const LayerReport& r, const std::string& name) { return !r.causes.empty() && names(r.causes.front(), name); }

/// PyTorch 2.13 by that engine.
inline void set_pytorch(DumpToWrite& dump, const std::string& engine = "fbgemm") {
  dump.producer.fields = {{"framework", "pytorch"}, {"version", "2.13.0"}, {"engine", engine}, {"isa", "avx512_vnni"}};
  dump.profile = "pytorch-" + engine;
}

}  // namespace lastbit::test
