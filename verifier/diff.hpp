// diff.hpp: two dumps of the same model: first divergence, isolated difference per layer, and the causes that turn one
// arithmetic into the other.
#pragma once
#include <string>
#include <vector>

#include "reports/report.hpp"
#include "verifier/verify.hpp"

namespace lastbit {

struct DiffLayer {
  std::string name, name_b, op;            // matched by name (and operator, if it can be), else by order and operator
  std::int64_t elements = 0, different = 0, max_lsb = 0;   // outputs of A against outputs of B, as dumped
  bool same_inputs = true, same_qparams = true, same_weights = true;
  std::string note;                        // "only in A", another shape, ...
  LayerReport isolated;                    // B's layer judged by A's arithmetic, on B's own inputs
};
struct Diff {
  std::string a, b;
  std::vector<DiffLayer> layers;
  std::string first_divergence;
  std::int64_t unexplained = 0;            // of the isolated differences
  int exit_status() const;                 // 0 no difference, 1 different, 5 nothing compared
};
Diff diff(const std::string& a, const std::string& b, VerifyOptions);
std::string to_text(const Diff&);
std::string to_json(const Diff&);

}  // namespace lastbit
