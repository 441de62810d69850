// pytorch_fbgemm: PyTorch's engine "fbgemm" on x86.
//
// Per-tensor weights: the bias is divided by the accumulator's scale through a reciprocal and fused into the accumulator's
// float (GCC contracts it; the wheels are built with GCC). Per-channel weights: a true division and a plain addition. Then
// one multiplication, nearest-even, the zero point after the rounding. Without VNNI, vpmaddubsw saturates pairs of products
// to int16; the depthwise kernel does so on every x86.
//
//   aten/src/ATen/native/quantized/cpu/qlinear.cpp, qconv.cpp  PackedLinearWeight, PackedConvWeight ::apply_impl
//   fbgemm/include/fbgemm/OutputProcessing-inl.h               ReQuantizeOutput::f
//   fbgemm/src/QuantUtilsAvx2.cc                               requantizeOutputProcessingAvx2, QuantizeAvx2
//   fbgemm/src/FbgemmConv.cc                                   takeDepthWiseFastPath
//   fbgemm/src/GenerateKernelU8S8S32ACC32.cc                   genComputeBlock (vpmaddubsw)
#include "lib/cells/cells.hpp"

namespace lastbit::profiles {

Profile pytorch_fbgemm() {
  const std::vector<std::string> per_tensor{"float", "fma f32(bias) ; 1 / (f32(si) * f32(sw))", "multiply f32(si) * f32(sw) / f32(so)",
                                            "round half_even int_min", "saturate16", "zero_point", "saturate16", "clamp"};
  const std::vector<std::string> per_channel{"float", "add f32(bias) / (f32(si) * f32(sw))", "multiply f32(si) * f32(sw) / f32(so)",
                                             "round half_even int_min", "saturate16", "zero_point", "saturate16", "clamp"};
  const std::map<std::string, std::string> exact{{"accumulator", "int32"}, {"pairs", "none"}};
  const std::map<std::string, std::string> pairs{{"accumulator", "int32"}, {"pairs", "int16"}, {"pair_order", "flat"}, {"pair_outside", "zero_point"}};
  Profile p{
      .name = "pytorch-fbgemm",
      .title = "PyTorch, engine fbgemm (x86)",
      .sources = {"PyTorch 2.13.0 (PyPI, GCC 13.3) and FBGEMM 71d6f8b2", "aten/src/ATen/native/quantized/cpu/qlinear.cpp, qconv.cpp: apply_impl",
                  "fbgemm OutputProcessing-inl.h: ReQuantizeOutput; QuantUtilsAvx2.cc: requantizeOutputProcessingAvx2"},
      .evidence = "measured: PyTorch 2.13.0 on AVX-512 VNNI, AVX-512 and AVX2, inputs aimed at ties and at every rival order",
      .for_producer = {"framework:pytorch", "engine:fbgemm"},
      .replaces = "",
      .replaces_when = {},
      .isas = {"avx512_vnni", "avx512", "avx2", "sse4.1"},
      .cells = {
          {{"linear", "conv", "conv_transpose"}, {"!per_channel"}, "accumulate", per_tensor, exact},
          {{"linear", "conv", "conv_transpose"}, {"per_channel"}, "accumulate", per_channel, exact},
          {{"linear", "conv", "conv_transpose"}, {"no_vnni", "!per_channel"}, "accumulate", per_tensor, pairs},
          {{"linear", "conv", "conv_transpose"}, {"no_vnni", "per_channel"}, "accumulate", per_channel, pairs},
          {{"conv"}, {"fbgemm_depthwise", "!per_channel"}, "accumulate", per_tensor, pairs},
          {{"conv"}, {"fbgemm_depthwise", "per_channel"}, "accumulate", per_channel, pairs},
      }};
  // y = fma(f32(acc), f32(si * sw), bias), GCC's contraction in ReQuantizeForFloat.
  for (const auto& [vnni, with] : {std::pair{"vnni", exact}, std::pair{"no_vnni", pairs}}) {
    cells::append(p.cells, cells::quantized_when_it_arrives({{"linear_dynamic"}, {vnni, "bias"}, "accumulate", {"float", "muladd f32(si) * f32(sw) ; f32(bias)", "activation"}, with}));
    cells::append(p.cells, cells::quantized_when_it_arrives({{"linear_dynamic"}, {vnni, "!bias"}, "accumulate", {"float", "multiply f32(si) * f32(sw)", "activation"}, with}));
  }
  cells::append(p.cells, cells::quantized_when_it_arrives({{"quantize_dynamic"}, {}, "choose_quantize", {}, {}}));
  cells::append(p.cells, cells::dynamic_convolutions(p.cells));
  cells::append(p.cells, cells::recurrent_layers(p.cells));
  cells::append(p.cells, cells::pytorch_common());
  cells::append(p.cells, cells::pytorch_windows());
  cells::append(p.cells, cells::pytorch_elementwise());
  cells::append(p.cells, cells::pytorch_norms());
  cells::append(p.cells, cells::pytorch_images());
  return p;
}

}  // namespace lastbit::profiles
