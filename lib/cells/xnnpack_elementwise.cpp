// xnnpack_elementwise.cpp: elementwise operators of XNNPACK.
//
//   src/microparams-init.c    xnn_init_qs8_add_minmax_scalar_params, xnn_init_qs8_mul_minmax_scalar_params, ..._lrelu_...
//   src/reference/unary-elementwise.cc   sigmoid and tanh through float
#include "lib/cells/cells.hpp"

namespace lastbit::cells {

std::vector<Cell> xnnpack_elementwise() {
  const std::string product = "f32(si) * f32(sw) / f32(so)";
  return {
      {{"add", "sub"}, {}, "fixed21_up", {}, {}},
      {{"mul"}, {}, "stages", {"float", "multiply " + product, "range", "round half_even int_min", "zero_point", "clamp"}, {}},
      {{"mul"}, {"arm"}, "stages", {"fixed rndnu " + product, "zero_point", "clamp"}, {}},
      {{"cat"}, {}, "copy", {}, {}},
      {{"leaky_relu"}, {}, "eighths", {}, {}},
      {{"sigmoid"}, {}, "lut", {}, {{"function", "ratio64"}, {"rounding", "inside"}}},
      {{"tanh"}, {}, "lut", {}, {{"function", "float64"}, {"rounding", "inside"}}},
      {{"limits"}, {"equal_qparams"}, "clamp", {}, {{"bound", "inside"}}},
  };
}

}  // namespace lastbit::cells
