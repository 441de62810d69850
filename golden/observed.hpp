// observed.hpp: suites and what a device gave for them, read back.
#pragma once
#include "golden/suite.hpp"

namespace lastbit {

/// A suite as check and identify take it: a dump made by `golden generate` (or any dump), another folder with golden.json, or a file
/// whose header says how it was made. Those are generated again and must have the checksum that they say.
struct SuiteRead {
  std::string place;
  std::vector<Layer> cases;              // outputs: what is expected
  std::string label;                     // profile
  Producer producer;
  std::optional<VectorRequest> request;
};
SuiteRead read_suite(const std::string& path);
/// Whether `golden generate` wrote it: golden.json inside, or the header.
bool is_suite(const std::string& path);

/// Values of all cases' outputs, one case after another, in row-major order.
struct Answers {
  std::vector<double> values;
  std::string form;                      // "npy", "binary", "hexadecimal", "decimal", "csv"
};
/// `path`: a .npy file, a folder with CASE.y.npy, raw little-endian binary of the output's type, lines of hexadecimal or decimal
/// numbers (the last word of a line; "#" begins a comment), CSV with a column "observed", "y", "output" or "expected" (else the
/// last), "-" for stdin. `format`: auto, npy, bin, hex, dec, csv. Throws Error when there are not as many values as the suite has,
/// or one does not fit the output's type.
Answers read_observed(const SuiteRead&, const std::string& path, const std::string& format);

/// The same cases with the observed values as their outputs.
std::vector<Layer> with_observed(const SuiteRead&, const Answers&);

}  // namespace lastbit
