// xnnpack_accumulate.cpp: convolutions, fully connected layers and requantization of XNNPACK.
//
// The float32 product of accumulator and scale is clamped, then rounded to nearest even (a magic bias or cvtps2dq).
//
//   XNNPACK/src/operators/convolution-nhwc.c, fully-connected-nc.c   requantization_scale
//   XNNPACK/src/qs8-gemm, qs8-qc8w-gemm ...                          fp32 requantization
#include "lib/cells/cells.hpp"

namespace lastbit::cells {

std::vector<Cell> xnnpack_accumulate() {
  const std::vector<std::string> fp32{"bias bias", "float", "multiply f32(si) * f32(sw) / f32(so)", "range", "round half_even int_min", "zero_point", "clamp"};
  const std::map<std::string, std::string> exact{{"accumulator", "int32"}, {"pairs", "none"}};
  return {
      {{"linear", "conv", "conv_transpose"}, {}, "accumulate", fp32, exact},
  };
}

}  // namespace lastbit::cells
