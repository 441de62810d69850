// pytorch_onednn_2: PyTorch's engine "onednn" up to 2.0 (oneDNN 2.x). Chosen by the producer's version when a dump says
// pytorch-onednn.
//
// The bias is brought to the accumulator's scale and added to its float; one multiplier brings that to the output; zero point
// and saturation come before the rounding. A dynamic layer's input is quantized by oneDNN's reorder: the reciprocal of the float64 scale,
// the zero point inside the rounding. Without VNNI products saturate in pairs (lib/rules/onednn_pairs.hpp).
//
//   ideep/include/ideep/operators/conv.hpp, inner_product.hpp   (tag pytorch-rls-v2.6.0)
//   oneDNN 2.6.3 src/cpu/x64/jit_avx512_core_x8s8s32x_conv_kernel.cpp   store_output
#include "lib/cells/cells.hpp"

namespace lastbit::profiles {

Profile pytorch_onednn_2() {
  // bs = f32(f32(1/si) * f32(1/sw)): the bias's scale, and the multiplier's divisor.
  const auto stages = [](const std::string& weight) {
    const std::string bs = "(f32(1 / si) * " + weight + ")";
    return std::vector<std::string>{"float", "add f32(bias) * " + bs, "multiply f32(1 / so) / " + bs, "activation", "zero_point", "clamp", "round half_even int_min"};
  };
  const std::map<std::string, std::string> exact{{"accumulator", "int32"}, {"pairs", "none"}};
  // y = (f32(acc) + f32(bias * bs)) * f32(1 / bs)
  const auto floats = [](const std::string& weight) {
    const std::string bs = "(f32(1 / si) * " + weight + ")";
    return std::vector<std::string>{"float", "add f32(bias) * " + bs, "multiply 1 / " + bs, "activation"};
  };
  // Below VNNI products saturate in pairs; every kernel scales alike.
  const auto pairs = [](const std::string& kernels) {
    return std::map<std::string, std::string>{{"accumulator", "int32"}, {"pairs", "int16"}, {"pair_order", "onednn"}, {"pair_outside", "zero"}, {"kernels", kernels}};
  };
  struct Kernels {
    std::vector<std::string> when;
    std::string name;
  };
  const std::vector<Kernels> below{{{"no_vnni", "avx2"}, "avx2"}, {{"no_vnni", "avx512"}, "avx512 2.6"}, {{"no_avx2"}, "avx"}};
  Profile p{
      .name = "pytorch-onednn-2",
      .title = "PyTorch <= 2.0, engine onednn (oneDNN 2.x)",
      .sources = {"PyTorch 1.13.1 with oneDNN 2.6.3", "ideep operators/conv.hpp, inner_product.hpp (pytorch-rls-v2.6.0)", "oneDNN jit_avx512_core_x8s8s32x_conv_kernel.cpp: store_output"},
      .evidence = "measured: PyTorch 1.13.1 (Debian 12) on AVX-512 VNNI, 5.9M elements, 82,105 exact ties; on AVX-512, AVX2 and SSE4.1 (ONEDNN_MAX_CPU_ISA), 2M elements",
      .for_producer = {},
      .replaces = "pytorch-onednn",
      .replaces_when = {"version<2.1"},
      .isas = {"avx512_vnni", "avx512", "avx2", "sse4.1"},
      .cells = {}};
  for (const auto& [weight, scale] : {std::pair{"!per_channel", "f32(1 / sw)"}, std::pair{"per_channel", "(1 / f32(sw))"}}) {
    const auto add = [&](const std::vector<std::string>& ops, std::vector<std::string> when, const std::map<std::string, std::string>& with) {
      when.push_back(weight);
      p.cells.push_back({ops, when, "accumulate", stages(scale), with});
    };
    const auto add_dynamic = [&](std::vector<std::string> when, std::map<std::string, std::string> with) {
      when.push_back(weight);
      with.insert({{"choose", "pytorch"}, {"rounding", "inside_reciprocal"}});  // oneDNN's reorder, not ATen's quantize
      p.cells.push_back({{"linear_dynamic"}, when, "accumulate", floats(scale), with});
    };
    add({"linear", "conv", "conv_transpose"}, {}, exact);
    add_dynamic({}, exact);
    for (const auto& [when, name] : below) {
      add({"linear", "conv", "conv_transpose"}, when, pairs(name));
      add_dynamic(when, pairs(name));
    }
    // What the generated transposed kernels do not take is a matrix product a tap.
    add({"conv_transpose"}, {"no_vnni", "avx2", "onednn_col2im_avx2"}, pairs("avx2 col2im"));
    add({"conv_transpose"}, {"no_vnni", "avx512", "onednn_2_col2im"}, pairs("avx512 col2im"));
    add({"conv_transpose"}, {"no_avx2", "onednn_col2im_sse41"}, pairs("avx col2im"));
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
