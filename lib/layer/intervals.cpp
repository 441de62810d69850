// intervals.cpp: see intervals.hpp.
#include "lib/layer/intervals.hpp"

#include <algorithm>
#include <array>

namespace lastbit {
namespace {

struct Open {
  const char* op;      // an operator or a family; "*": any
  const char* rule;
  const char* reason;
};

constexpr std::array rules{
    Open{"*", "float", "order of a float32 sum"},
    Open{"*", "either_order", "which of two kernels the library took"},
    Open{"*", "float_quantize", "order of a float32 sum"},
    Open{"*", "int8_blocks", "order of a float32 sum"},
    Open{"*", "per_step", "elementary functions of the gates"},
    Open{"*", "ranges", "elementary functions of the gates"},
    Open{"*", "mean_float", "order of a float32 sum"},
    Open{"mean", "float_sum", "order of a float32 sum cut by the number of threads"},
    Open{"std", "welford", "order of a float64 sum"},
    Open{"sum", "fixed_bytes", "memory that the runtime never writes"},
};

}  // namespace

std::string open_reason(const Operator& op, const Cell& cell) {
  const std::string rule = cell.rule.empty() && !op.rules.empty() ? op.rules.front() : cell.rule;
  for (const Open& o : rules)
    if (rule == o.rule && (o.op == std::string("*") || o.op == op.name || std::find(op.families.begin(), op.families.end(), o.op) != op.families.end())) return o.reason;
  for (const std::string& stage : cell.stages)
    if (stage.find("inexact") != std::string::npos) return "a specification that allows several results";
  if (cell.get("steps") == "either") return "which of two forms the compiler chose";
  return {};
}

}  // namespace lastbit
