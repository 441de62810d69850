// pytorch_onednn: PyTorch's engine "onednn" from 2.1 on (oneDNN 3.x).
//
// The source scale is multiplied first, then the weight scale, never their product; the bias is added in real units; the
// destination's reciprocal scale and the zero point come before the rounding, and the float is saturated before it.
// ideep inverts scales twice on the way, so each may be one ulp off. No fused multiply-add anywhere.
//
//   ideep/include/ideep/operators/conv.hpp, inner_product.hpp   (branch ideep_pytorch)
//   oneDNN 3.12 src/cpu/x64/jit_brgemm_*                        store_output
#include <algorithm>

#include "lib/cells/cells.hpp"

namespace lastbit::profiles {

Profile pytorch_onednn() {
  const auto stages = [](const std::string& weight) {
    return std::vector<std::string>{"float", "multiply 1 / f32(1 / si)", "multiply " + weight, "add f32(bias)", "activation",
                                    "multiply 1 / (1 / f32(1 / so))", "zero_point", "clamp", "round half_even int_min"};
  };
  const auto pairs = [](const std::string& kernels) {
    return std::map<std::string, std::string>{{"accumulator", "int32"}, {"pairs", "int16"}, {"pair_order", "onednn"}, {"pair_outside", "zero"}, {"kernels", kernels}};
  };
  const std::map<std::string, std::string> exact{{"accumulator", "int32"}, {"pairs", "none"}};
  const auto conv = stages("f32(sw)"), linear = stages("1 / f32(1 / sw)"), linear_per_channel = stages("1 / (1 / f32(sw))");
  // Below AVX-512 gemm_s8u8s32 (linear) and jit_uni_x8s8s32x (convolutions) multiply by the product of the scales. What those
  // do not take goes to oneDNN's reference convolution: scales one after the other, and a division by the output's. So do, on every
  // instruction set, transposed convolutions that end as a matrix product and col2im.
  const auto product = [](const std::string& weight) {
    return std::vector<std::string>{"float", "multiply (1 / f32(1 / si)) * (" + weight + ")", "add f32(bias)", "activation", "multiply 1 / (1 / f32(1 / so))", "zero_point", "clamp", "round half_even int_min"};
  };
  const auto gemm = product("1 / f32(1 / sw)"), gemm_per_channel = product("1 / (1 / f32(sw))"), jit = product("f32(sw)");
  const auto divided = [](std::vector<std::string> steps) {
    steps[5] = "divide 1 / f32(1 / so)";
    return steps;
  };
  const auto reference = divided(conv);
  // int8 inputs of a linear layer: the reference with AVX-512, whose sums are exact; gemm_s8u8s32 below, which saturates pairs of x + 128 where the
  // zero point is 0 and sums exactly where it is not.
  auto moved = pairs("avx2"), moved_avx = pairs("avx");
  moved["pair_offset"] = moved_avx["pair_offset"] = "128";
  Profile p{
      .name = "pytorch-onednn",
      .title = "PyTorch >= 2.1, engine onednn (oneDNN 3.x)",
      .sources = {"PyTorch 2.13.0 with oneDNN 3.12", "ideep operators/conv.hpp, inner_product.hpp", "oneDNN src/cpu/x64: jit_uni_x8s8s32x_convolution, brgemm, gemm_s8u8s32", "Arm: ATen quantized/cpu/ACLUtils.cpp, ComputeLibrary arm_gemm"},
      .evidence = "measured: PyTorch 2.13.0 on AVX-512 VNNI, AVX-512 and AVX2, 3.0M elements aimed at ties and at 20 rival orders; AMX: linear layers around every border, convolutions as an interval of two orders; Arm: 2.13.0 on emulated Cortex-A53 and Neoverse N1, ties of every operator that multiplies",
      .for_producer = {"framework:pytorch", "engine:onednn"},
      .replaces = "",
      .replaces_when = {},
      .isas = {"avx512_vnni", "avx512_amx", "avx512", "avx2", "sse4.1"},
      .cells = {
          {{"conv", "conv_transpose"}, {}, "accumulate", conv, exact},
          {{"conv_transpose"}, {"onednn_col2im"}, "accumulate", reference, exact},
          {{"linear"}, {}, "accumulate", linear, exact},
          {{"linear"}, {"per_channel"}, "accumulate", linear_per_channel, exact},
          {{"conv", "conv_transpose"}, {"no_vnni", "avx2", "x:uint8"}, "accumulate", jit, pairs("avx2")},
          {{"conv", "conv_transpose"}, {"no_vnni", "avx512", "x:uint8"}, "accumulate", conv, pairs("avx512")},
          {{"conv"}, {"no_vnni", "avx512", "x:uint8", "onednn_gemm"}, "accumulate", jit, pairs("avx512")},
          {{"conv"}, {"vnni", "x:uint8", "onednn_gemm", "!onednn_depthwise"}, "accumulate", jit, exact},
          {{"conv", "conv_transpose"}, {"no_avx2", "x:uint8"}, "accumulate", jit, pairs("avx")},
          {{"conv"}, {"no_vnni", "avx2", "!avx512", "x:uint8", "onednn_reference"}, "accumulate", reference, exact},
          {{"conv"}, {"no_avx2", "x:uint8", "onednn_reference"}, "accumulate", reference, exact},
          {{"conv_transpose"}, {"no_vnni", "avx2", "avx512", "x:uint8", "onednn_col2im"}, "accumulate", reference, pairs("avx512 col2im")},
          {{"conv_transpose"}, {"no_vnni", "avx2", "!avx512", "x:uint8", "onednn_col2im_avx2"}, "accumulate", reference, pairs("avx2 col2im")},
          {{"conv_transpose"}, {"no_avx2", "x:uint8", "onednn_col2im_sse41"}, "accumulate", reference, pairs("avx col2im")},
          {{"linear"}, {"x:int8", "!amx", "avx512", "!per_channel"}, "accumulate", divided(linear), exact},
          {{"linear"}, {"x:int8", "!amx", "avx512", "per_channel"}, "accumulate", divided(linear_per_channel), exact},
          {{"linear"}, {"x:int8", "no_vnni", "!avx512", "!per_channel"}, "accumulate", gemm, exact},
          {{"linear"}, {"x:int8", "no_vnni", "!avx512", "per_channel"}, "accumulate", gemm_per_channel, exact},
          {{"linear"}, {"x:int8", "no_vnni", "avx2", "!avx512", "x_zero_point:0", "!per_channel"}, "accumulate", gemm, moved},
          {{"linear"}, {"x:int8", "no_vnni", "avx2", "!avx512", "x_zero_point:0", "per_channel"}, "accumulate", gemm_per_channel, moved},
          {{"linear"}, {"x:int8", "no_avx2", "x_zero_point:0", "!per_channel"}, "accumulate", gemm, moved_avx},
          {{"linear"}, {"x:int8", "no_avx2", "x_zero_point:0", "per_channel"}, "accumulate", gemm_per_channel, moved_avx},
          {{"linear"}, {"amx_product", "!per_channel"}, "accumulate", gemm, exact},
          {{"linear"}, {"amx_product", "per_channel"}, "accumulate", gemm_per_channel, exact},
          {{"linear"}, {"no_vnni", "avx2", "x:uint8", "!per_channel"}, "accumulate", gemm, pairs("avx2")},
          {{"linear"}, {"no_vnni", "avx2", "x:uint8", "per_channel"}, "accumulate", gemm_per_channel, pairs("avx2")},
          {{"linear"}, {"no_vnni", "avx512", "x:uint8", "!per_channel"}, "accumulate", linear, pairs("avx512")},
          {{"linear"}, {"no_vnni", "avx512", "x:uint8", "per_channel"}, "accumulate", linear_per_channel, pairs("avx512")},
          {{"linear"}, {"no_avx2", "x:uint8", "!per_channel"}, "accumulate", gemm, pairs("avx")},
          {{"linear"}, {"no_avx2", "x:uint8", "per_channel"}, "accumulate", gemm_per_channel, pairs("avx")},
      }};
  // On AMX most convolutions take the product of the scales, depthwise ones never do; for the rest oneDNN decides by its cost model.
  Cell either{{"conv", "conv_transpose"}, {"amx", "x:uint8", "!one_by_one"}, "either_order", conv, exact};
  either.with["product"] = "(1 / f32(1 / si)) * f32(sw)";
  p.cells.push_back(either);
  // ideep quantizes x by the reciprocal of the twice inverted scale, zero point inside, not fused.
  for (const auto& [cpu, with] : {std::pair{std::vector<std::string>{}, exact}, std::pair{std::vector<std::string>{"amx_product"}, exact}, std::pair{std::vector<std::string>{"no_vnni", "avx2"}, pairs("avx2")},
                                  std::pair{std::vector<std::string>{"no_vnni", "avx512"}, pairs("avx512")}, std::pair{std::vector<std::string>{"no_avx2"}, pairs("avx")}})
    for (const auto& [weight, scale] : {std::pair{"!per_channel", "1 / f32(1 / sw)"}, std::pair{"per_channel", "1 / (1 / f32(sw))"}}) {
      const std::string x = "1 / f32(1 / si)", w = scale;
      std::vector<std::string> steps{"float", "multiply " + x, "multiply " + w, "add f32(bias)", "activation"};
      const bool amx = cpu == std::vector<std::string>{"amx_product"};
      if (amx || (with.count("kernels") && with.at("kernels") != "avx512")) steps = {"float", "multiply (" + x + ") * (" + w + ")", "add f32(bias)", "activation"};  // gemm_s8u8s32, AMX: the scales' product first
      Cell c{{"linear_dynamic"}, cpu, "accumulate", steps, with};
      c.when.push_back(weight);
      c.with.insert({{"choose", "pytorch"}, {"rounding", "inside"}, {"quantize_scale", "1 / f32(1 / si)"}});
      p.cells.push_back(c);
    }
  // Of a recurrent layer every product has its own size: the cell says the product, the layer asks by size.
  for (Cell c : cells::recurrent_layers(p.cells)) {
    if (std::find(c.when.begin(), c.when.end(), "amx_product") != c.when.end()) continue;
    p.cells.push_back(c);
    if (c.when.size() != 1) continue;
    c.when.insert(c.when.begin(), "amx");
    const auto factor = [&](std::size_t i) { return "(" + c.stages[i].substr(std::string("multiply ").size()) + ")"; };
    c.with["product"] = factor(1) + " * " + factor(2);
    p.cells.push_back(c);
  }
  cells::append(p.cells, cells::quantized_when_it_arrives({{"quantize_dynamic"}, {}, "choose_quantize", {}, {}}));
  // The sum is a post-op before the output's scale: fused, with a scale that ideep inverts twice.
  for (Cell c : std::vector<Cell>(p.cells)) {
    if (std::find(c.ops.begin(), c.ops.end(), "conv") == c.ops.end() || c.rule != "accumulate") continue;
    c.ops = {"conv2d_add"};
    c.stages.erase(std::find(c.stages.begin(), c.stages.end(), "activation"), c.stages.end());
    const bool generated = std::find(c.when.begin(), c.when.end(), "onednn_reference") == c.when.end();
    if ((c.with.count("kernels") && c.with.at("kernels") == "avx") || !generated) c.with["sum"] = "separate";  // no fused instruction there
    if (!generated) c.with["divisor"] = "1 / f32(1 / so)";
    c.with.insert({{"sum_scale", "1 / f32(1 / f64(f32(sa)))"}, {"inverse", "1 / (1 / f32(1 / so))"}});
    p.cells.push_back(c);
    if (std::find(c.when.begin(), c.when.end(), "onednn_gemm") == c.when.end()) continue;
    // gemm_s8u8s32 takes no sum with a zero point: such a layer is the reference's.
    c.when.push_back("!a_zero_point:0");
    c.stages = reference;
    c.stages.erase(std::find(c.stages.begin(), c.stages.end(), "activation"), c.stages.end());
    c.with.insert_or_assign("pairs", "none"), c.with.erase("kernels"), c.with.erase("pair_order"), c.with.erase("pair_outside");
    c.with.insert({{"sum", "separate"}, {"divisor", "1 / f32(1 / so)"}});
    p.cells.push_back(c);
  }
  // Arm: per-tensor linear layers, fused activations other than relu aside, go to Arm Compute Library and its fixed point: a bias quantized half
  // away, the multiplier's product floored, then half up. It sets no multiplier of 1 and beyond, and the kernel reads what was there.
  //   aten/src/ATen/native/quantized/cpu/ACLUtils.cpp   StaticQuantMatmul, from 2.8 on
  //   ComputeLibrary src/core/utils/quantization/AsymmHelpers.cpp calculate_quantized_multiplier_less_than_one; arm_gemm/quantized.cpp
  // Without dot products its int8 kernel (a64_gemm_s8_4x4) holds the i-th and the (i + 8)-th product of sixteen in 16 bits; on
  // Cortex-A53 rows that fill most of an eight, and more than 28, take another (arm_gemm/gemm_int8.cpp). All else is oneDNN's: gemm_x8s8s32x
  // multiplies by the product of the scales, sums and transposed convolutions are the reference's.
  const std::string held = "!version<2.8";
  auto wraps = exact, moved_wraps = exact;
  for (auto* with : {&wraps, &moved_wraps}) (*with)["pairs"] = "int16", (*with)["pair_order"] = "eights", (*with)["pair_beyond"] = "wrap", (*with)["pair_outside"] = "zero_point";
  moved_wraps["pair_offset"] = "-128";
  p.cells.push_back({{"linear"}, {"arm"}, "accumulate", gemm, exact});
  p.cells.push_back({{"linear"}, {"arm", "per_channel"}, "accumulate", gemm_per_channel, exact});
  using Kernels = std::vector<std::pair<std::vector<std::string>, std::map<std::string, std::string>>>;
  for (const auto& [kernels, with] : Kernels{{{}, exact}, {{"isa:neon", "x:int8"}, wraps}, {{"isa:neon", "x:uint8"}, moved_wraps}, {{"isa:neon", "rows_in_eights"}, exact}}) {
    Cell c{{"linear"}, {"arm", "!per_channel", held, "!activation:leaky_relu", "!activation:tanh"}, "accumulate",
           {"bias away(f32(bias) * f32(1 / (si * sw)))", "fixed floor_up f32(si * sw / so)", "zero_point", "clamp"}, with};
    c.when.insert(c.when.end(), kernels.begin(), kernels.end());
    c.with["multiplier"] = "below_one";
    p.cells.push_back(c);
  }
  for (const auto& [kernels, with] : Kernels{{{}, exact}, {{"isa:neon"}, wraps}, {{"isa:neon", "rows_in_eights"}, exact}}) {
    Cell c{{"linear_dynamic"}, {"arm", "!per_channel", held}, "acl", {}, with};
    c.when.insert(c.when.end(), kernels.begin(), kernels.end());
    c.with.insert({{"choose", "pytorch"}, {"input_dtype", "int8"}, {"rounding", "outside"}, {"tail", "divide_even"}, {"vector", "16"}});
    p.cells.push_back(c);
  }
  Cell by_channel{{"linear_dynamic"}, {"arm", "per_channel"}, "accumulate", {gemm_per_channel.begin(), gemm_per_channel.begin() + 4}, exact};  // x is int8 there, too
  by_channel.with.insert({{"choose", "pytorch"}, {"input_dtype", "int8"}, {"rounding", "inside"}, {"quantize_scale", "1 / f32(1 / si)"}});
  p.cells.push_back(by_channel);
  p.cells.push_back({{"conv"}, {"arm"}, "accumulate", jit, exact});
  p.cells.push_back({{"conv_transpose"}, {"arm"}, "accumulate", reference, exact});
  Cell added{{"conv2d_add"}, {"arm"}, "accumulate", reference, exact};
  added.stages.erase(std::find(added.stages.begin(), added.stages.end(), "activation"), added.stages.end());
  added.with.insert({{"divisor", "1 / f32(1 / so)"}, {"sum_scale", "1 / f32(1 / f64(f32(sa)))"}, {"inverse", "1 / (1 / f32(1 / so))"}});
  p.cells.push_back(added);
  cells::append(p.cells, cells::dynamic_convolutions(p.cells));
  cells::append(p.cells, cells::pytorch_common());
  cells::append(p.cells, cells::pytorch_windows());
  cells::append(p.cells, cells::pytorch_elementwise());
  cells::append(p.cells, cells::pytorch_norms());
  cells::append(p.cells, cells::pytorch_images());
  p.cells = cells::with_scalar_fbgemm(p.cells);
  return p;
}

}  // namespace lastbit::profiles
