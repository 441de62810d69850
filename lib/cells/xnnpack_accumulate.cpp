// xnnpack_accumulate.cpp: convolutions, fully connected layers and requantization of XNNPACK.
//
// The float32 product of accumulator and scale is clamped, then rounded to nearest even (a magic bias or cvtps2dq). On ARM
// uint8 layers are fixed point: 24 bits of the scale with dot product instructions, 15 bits on plain NEON, but for depthwise kernels of
// up to 25 taps. An activation's
// bound is rounded with the zero point in it.
//
//   XNNPACK/src/operators/convolution-nhwc.c, fully-connected-nc.c   requantization_scale
//   XNNPACK/src/xnnpack/requantization.h                             xnn_qs8_requantize_fp32, xnn_qu8_requantize_rndnu
//   XNNPACK/src/configs/gemm-config.c, dwconv-config.c               which kernels
//   XNNPACK/src/microparams-init.c                                   xnn_init_qs8_cvt_scalar_params
#include "lib/cells/cells.hpp"

namespace lastbit::cells {

std::vector<Cell> xnnpack_accumulate() {
  const std::string scale = "f32(si) * f32(sw) / f32(so)";
  const std::vector<std::string> layers{"linear", "conv", "conv_transpose"};
  const std::vector<std::string> fp32{"bias bias", "float", "multiply " + scale, "range", "round half_even int_min", "zero_point", "clamp"};
  const std::map<std::string, std::string> exact{{"accumulator", "int32"}, {"pairs", "none"}, {"bound", "half_even_with_zero_point"}};
  // On ARM int8 depthwise kernels add two taps' products in 16 bits (neon mla8), which wrap where all four codes are -128.
  auto wraps = exact;
  wraps["pairs"] = "int16", wraps["pair_order"] = "columns_first", wraps["pair_outside"] = "zero_point", wraps["pair_beyond"] = "wrap";
  const auto fixed = [&](const std::string& rule) { return std::vector<std::string>{"bias bias", "fixed " + rule + " " + scale, "zero_point", "clamp"}; };
  return {
      {layers, {}, "accumulate", fp32, exact},
      {layers, {"arm", "x:uint8"}, "accumulate", fixed("rndnu"), exact},
      {layers, {"isa:neon", "x:uint8"}, "accumulate", fixed("rndnu16"), exact},
      {{"conv"}, {"isa:neon", "x:uint8", "grouped", "one_by_one", "taps_to_25"}, "accumulate", fixed("rndnu"), exact},
      {{"conv"}, {"arm", "x:int8", "weight:int8", "grouped", "one_by_one", "taps_to_25"}, "accumulate", fp32, wraps},
      {{"requantize"}, {}, "stages", {"fixed q8 f32(si) / f32(so)", "zero_point", "clamp"}, {}},
  };
}

}  // namespace lastbit::cells
