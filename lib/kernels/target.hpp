// target.hpp: which instruction set the kernels run on.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lastbit {

/// Numbers of a kernel's operands: uint8 by int8, or int16 by int16 (zero points taken off).
enum class Kind { bytes, words };

/// What the instruction set in force offers.
struct KernelTarget {
  std::string name;          // avx3_dl, avx3, avx2, sse4, ssse3, neon, emu128
  bool bytes = false;        // Kind::bytes is there
  std::int64_t lanes = 4;    // int32 lanes of a vector
};
KernelTarget kernel_target();

/// Instruction sets that this processor can run, best first.
std::vector<std::string> supported_targets();
/// From here on no better instruction set than the named one is used, in the whole process; "" lifts the limit. For tests and benchmarks.
/// False if this processor does not run it.
bool limit_target(std::string_view name);

}  // namespace lastbit
