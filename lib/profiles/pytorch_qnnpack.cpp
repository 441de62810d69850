// pytorch_qnnpack: PyTorch's engine "qnnpack", on x86 and ARM.
//
// The bias becomes an integer of the accumulator (bias times a float32 reciprocal, nearest even). The multiplier is the
// product of the scales times the reciprocal of the output's, in float32. What int32 cannot hold after the multiplication
// becomes INT_MIN on x86 (so 0) and INT_MAX on ARM (so 255). A bias that int32 cannot hold becomes INT_MAX, but INT_MIN where
// the convolution kernels read it, in 2.13.0 on x86 (a pointwise one is a matrix product).
//
//   aten/src/ATen/native/quantized/cpu/QnnpackUtils.h                generate_requantization_scales
//   aten/src/ATen/native/quantized/cpu/qlinear.cpp, qconv.cpp       apply_impl of the Qnnp weights
//   aten/src/ATen/native/quantized/cpu/qnnpack/src/q8gemm/*.c       pytorch_q8gemm_ukernel
#include "lib/cells/cells.hpp"

namespace lastbit::profiles {

Profile pytorch_qnnpack() {
  const auto stages = [](const std::string& overflow) {
    return std::vector<std::string>{"bias f32(bias) * (1 / f32(sw * si))", "float", "multiply f32(sw) * f32(si) * (1 / f32(so))",
                                    "round half_even " + overflow, "saturate16", "zero_point", "saturate16", "clamp"};
  };
  auto converted = stages("int_min");
  converted[0] = "bias int_min(f32(bias) * (1 / f32(sw * si)))";
  // Depthwise 3 x 3 x 3 on x86 is plain C: it multiplies by the float32 multiplier in float64, and adds the zero point in int32
  // (q8dwconv/mp8x27-sse2.c).
  const auto wide = [](std::vector<std::string> steps) {
    steps[1] = "double";
    std::erase(steps, "saturate16");
    steps.insert(steps.end() - 1, "register 32-wrap");
    return steps;
  };
  // 1.13 gives int8 inputs to XNNPACK, with the bias that QNNPACK has: convolution-nhwc.c, requantization_scale.
  const std::vector<std::string> xnnpack{"bias f32(bias) * (1 / f32(sw * si))", "float", "multiply f32(si) * f32(sw) / f32(so)", "range", "round half_even int_min", "zero_point", "clamp"};
  const std::map<std::string, std::string> exact{{"accumulator", "int32"}, {"pairs", "none"}};
  Profile p{
      .name = "pytorch-qnnpack",
      .title = "PyTorch, engine qnnpack (x86 and ARM)",
      .sources = {"PyTorch 1.13.1 and 2.13.0", "aten/src/ATen/native/quantized/cpu/QnnpackUtils.h: generate_requantization_scales",
                  "aten/src/ATen/native/quantized/cpu/qnnpack/src/requantization.h"},
      .evidence = "measured: PyTorch 1.13.1 and 2.13.0 on x86, 2.13.0 on ARM (neoverse-n1, emulated), inputs aimed at ties",
      .for_producer = {"framework:pytorch", "engine:qnnpack"},
      .replaces = "",
      .replaces_when = {},
      .isas = {"avx512_vnni", "neon_dotprod"},
      .cells = {
          {{"linear", "conv", "conv_transpose"}, {}, "accumulate", stages("int_min"), exact},
          {{"conv"}, {"x86", "version==2.13.0", "!pointwise"}, "accumulate", converted, exact},
          {{"conv_transpose"}, {"x86", "version==2.13.0"}, "accumulate", converted, exact},
          {{"conv"}, {"x86", "depthwise_27"}, "accumulate", wide(stages("int_min")), exact},
          {{"conv"}, {"x86", "depthwise_27", "version==2.13.0"}, "accumulate", wide(converted), exact},
          {{"linear", "conv", "conv_transpose"}, {"arm"}, "accumulate", stages("saturate"), exact},
          {{"linear", "conv", "conv_transpose"}, {"x86", "version<2.0", "x:int8"}, "accumulate", xnnpack, exact},
      }};
  // With this engine reduce_range is ignored everywhere.
  const std::map<std::string, std::string> whole{{"accumulator", "int32"}, {"pairs", "none"}, {"reduce_range", "ignored"}};
  cells::append(p.cells, cells::quantized_when_it_arrives({{"linear_dynamic"}, {}, "accumulate", {"float", "multiply f32(sw) * f32(si)", "add f32(bias)", "activation"}, whole}));
  cells::append(p.cells, cells::quantized_when_it_arrives({{"quantize_dynamic"}, {}, "choose_quantize", {}, {{"reduce_range", "ignored"}}}));
  for (Cell c : cells::dynamic_convolutions(p.cells)) {
    c.with["reduce_range"] = "ignored";
    p.cells.push_back(c);
  }
  cells::append(p.cells, cells::recurrent_layers(p.cells));
  cells::append(p.cells, cells::pytorch_common());
  cells::append(p.cells, cells::pytorch_windows());
  cells::append(p.cells, cells::pytorch_norms());
  cells::append(p.cells, cells::pytorch_images());
  cells::append(p.cells, cells::qnnpack_windows());
  cells::append(p.cells, cells::pytorch_elementwise());
  cells::append(p.cells, cells::pytorch_qnnpack_elementwise());
  p.cells = cells::with_scalar_fbgemm(p.cells);
  return p;
}

}  // namespace lastbit::profiles
